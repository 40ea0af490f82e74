#include "server/net/http_request.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

using State = HttpHeadState;

TEST(ParseHttpHead, CompleteHeads) {
  const struct {
    const char* received;
    const char* method;
    const char* path;
  } cases[] = {
      {"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/metrics"},
      {"HEAD / HTTP/1.0\r\n\r\n", "HEAD", "/"},
      {"GET /metrics?name[]=a HTTP/1.1\r\n\r\n", "GET", "/metrics"},
      {"GET http://h:1/readyz?x HTTP/1.1\r\n\r\n", "GET", "/readyz"},
      {"GET http://h HTTP/1.1\r\n\r\n", "GET", "/"},
      {"\r\nGET /a HTTP/1.1\n\n", "GET", "/a"},
      {"POST /a HTTP/1.1\r\n\r\nbody", "POST", "/a"},
      {"OPTIONS * HTTP/1.1\r\n\r\n", "OPTIONS", "*"},
  };
  for (const auto& c : cases) {
    const HttpHead head = ParseHttpHead(c.received);
    EXPECT_EQ(head.state, State::kComplete) << c.received;
    EXPECT_EQ(head.method, c.method) << c.received;
    EXPECT_EQ(head.path, c.path) << c.received;
  }
}

TEST(ParseHttpHead, EveryPrefixIsIncomplete) {
  const std::string whole = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(ParseHttpHead(whole.substr(0, size)).state, State::kIncomplete) << size;
  }
}

TEST(ParseHttpHead, BadRequests) {
  const struct {
    std::string received;
    State state;
  } cases[] = {
      {"\x16\x03\x01", State::kMalformed},  // TLS
      {std::string(1, '\0'), State::kMalformed},
      {"GET\r\n", State::kMalformed},
      {"GET /metrics\r\n", State::kMalformed},  // HTTP/0.9
      {"GET /a b HTTP/1.1\r\n", State::kMalformed},
      {"GET  HTTP/1.1\r\n", State::kMalformed},
      {"GET / FTP/1.1\r\n", State::kMalformed},
      {"G\x7fT / HTTP/1.1\r\n", State::kMalformed},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", State::kWrongVersion},
      {"GET /" + std::string(kMaxHttpHeadBytes, 'a'), State::kTooLarge},
      {"GET /" + std::string(kMaxHttpHeadBytes, 'a') + " HTTP/1.1\r\n\r\n", State::kTooLarge},
      {absl::StrCat("GET / HTTP/1.1\r\nA: ", std::string(kMaxHttpHeadBytes, 'a'), "\r\n\r\n"),
       State::kTooLarge},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ParseHttpHead(c.received).state, c.state) << c.received.substr(0, 40);
  }
}

}  // namespace
}  // namespace sigserve
