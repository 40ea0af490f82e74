#include "server/rpc/status.h"

#include <string>

#include "gtest/gtest.h"

namespace sigserve {
namespace {

TEST(StatusTest, LongMessagesAreCutBetweenCharacters) {
  std::string text(kMaxMessageBytes - 1, 'a');
  text += "\xC3\xA9 and more";  // the limit falls inside this character
  EXPECT_EQ(WireMessage(absl::InternalError(text)),
            std::string(kMaxMessageBytes - 1, 'a') + " [cut]");
  const std::string fits(kMaxMessageBytes, 'a');
  EXPECT_EQ(WireMessage(absl::InternalError(fits)), fits);
  EXPECT_EQ(WireMessage(absl::InternalError("no file caf\xE9")), "no file caf\\xe9");
  EXPECT_EQ(WireStatus(absl::InternalError(text + "b")), WireStatus(absl::InternalError(text)));
  EXPECT_EQ(WireStatus(absl::AbortedError("why")), absl::AbortedError("why"));
}

TEST(QuoteTest, EscapesAndCuts) {
  EXPECT_EQ(Quote("x"), "'x'");
  EXPECT_EQ(Quote("a\nb"), "'a\\nb'");
  EXPECT_EQ(Quote(std::string(100, 'n')), "'" + std::string(64, 'n') + "...'");
}

}  // namespace
}  // namespace sigserve
