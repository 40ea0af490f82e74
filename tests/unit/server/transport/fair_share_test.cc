#include "server/transport/fair_share.h"

#include "gtest/gtest.h"

namespace sigserve {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

TEST(FairShareTest, NoRestWithinTheShare) {
  FairShare share(0.5);
  absl::Duration now = absl::Seconds(7);
  for (int turn = 0; turn < 1000; ++turn, now += kMs) {
    ASSERT_EQ(share.Used(0.5 * kMs, now), absl::ZeroDuration()) << turn;
  }
}

TEST(FairShareTest, WhoeverWorksAllTheTimeGetsItsShareInTheEnd) {
  for (const double part : {0.25, 0.5, 0.9}) {
    FairShare share(part);
    absl::Duration now = absl::Seconds(7);
    absl::Duration worked;
    for (int turn = 0; turn < 10000; ++turn) {
      now += 0.3 * kMs;
      worked += 0.3 * kMs;
      now += share.Used(0.3 * kMs, now);
    }
    EXPECT_NEAR(absl::FDivDuration(worked, now - absl::Seconds(7)), part, 0.01);
  }
}

TEST(FairShareTest, AStretchIsFreeHoweverLongItWasIdle) {
  FairShare share(0.5);
  EXPECT_EQ(share.Used(2 * kMs, absl::Seconds(1)), absl::ZeroDuration());
  EXPECT_EQ(share.Used(2 * kMs, absl::Seconds(100)), absl::ZeroDuration());
  // 4 ms more, of which 2 ms are its share.
  EXPECT_EQ(share.Used(4 * kMs, absl::Seconds(100) + 4 * kMs), 4 * kMs);
}

TEST(FairShareTest, NoRestIsLong) {
  FairShare share(0.1);
  EXPECT_LE(share.Used(absl::Seconds(1), absl::Seconds(7)), 5 * kMs);
}

TEST(FairShareTest, AWholeProcessorHasNoLimit) {
  EXPECT_FALSE(FairShare(1).limits());
  EXPECT_FALSE(FairShare(4).limits());
  EXPECT_TRUE(FairShare(0.5).limits());
}

TEST(ThreadProcessorTimeTest, OnlyGrows) {
  const absl::Duration before = ThreadProcessorTime();
  EXPECT_GT(before, absl::ZeroDuration());
  EXPECT_GE(ThreadProcessorTime(), before);
}

}  // namespace
}  // namespace sigserve
