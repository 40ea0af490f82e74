#include "server/codec/status.h"

#include <string>

#include "gtest/gtest.h"

namespace sigserve {
namespace {

TEST(StatusTest, EveryCodeKeepsItsNumberAndMessageBothWays) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    const grpc::Status wire = ToGrpc(status);
    EXPECT_EQ(static_cast<int>(wire.error_code()), code);
    EXPECT_EQ(wire.error_message(), "why");
    EXPECT_EQ(FromGrpc(wire), status);
  }
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(StatusTest, LongMessagesAreCutBetweenCharacters) {
  std::string text(kMaxMessageBytes - 1, 'a');
  text += "\xC3\xA9 and more";  // the limit falls inside this character
  EXPECT_EQ(WireMessage(absl::InternalError(text)),
            std::string(kMaxMessageBytes - 1, 'a') + " [cut]");
  const std::string fits(kMaxMessageBytes, 'a');
  EXPECT_EQ(WireMessage(absl::InternalError(fits)), fits);
}

TEST(QuoteTest, EscapesAndCuts) {
  EXPECT_EQ(Quote("x"), "'x'");
  EXPECT_EQ(Quote("a\nb"), "'a\\nb'");
  EXPECT_EQ(Quote(std::string(100, 'n')), "'" + std::string(64, 'n') + "...'");
}

}  // namespace
}  // namespace sigserve
