#include "server/config/closest.h"

#include "gtest/gtest.h"

namespace sigserve {
namespace {

TEST(Closest, FindsMisspeltWords) {
  const std::vector<std::string> words = {"repository", "repository_poll_seconds", "grpc_address",
                                          "http_address", "help"};
  const struct {
    const char* word;
    const char* closest;
  } cases[] = {
      {"repositry", "repository"},
      {"repositories", "repository"},
      {"grpc-adress", "grpc_address"},
      {"htp_address", "http_address"},
      {"hlep", ""},
      {"halp", "help"},
      {"port", ""},
      {"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(Closest(c.word, words), c.closest) << c.word;
  EXPECT_EQ(Closest(std::string(10'000, 'x'), words), "");
}

}  // namespace
}  // namespace sigserve
