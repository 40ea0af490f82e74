#include "server/transport/spin_policy.h"

#include "gtest/gtest.h"

namespace sigserve {
namespace {

constexpr absl::Duration kSpin = absl::Microseconds(100);

TEST(SpinPolicyTest, SpinsOnlyWhileEventsArriveQuickly) {
  const MonotonicTime now = MonotonicTime::AfterStart(absl::Seconds(7));
  SpinPolicy policy(kSpin);
  EXPECT_FALSE(policy.ShouldSpin(now));
  policy.OnWake(absl::Microseconds(149));
  EXPECT_TRUE(policy.ShouldSpin(now));
  policy.OnWake(absl::Microseconds(151));
  EXPECT_FALSE(policy.ShouldSpin(now));
}

TEST(SpinPolicyTest, PausesAfterAPreemption) {
  MonotonicTime now = MonotonicTime::AfterStart(absl::Seconds(7));
  SpinPolicy policy(kSpin);
  policy.OnWake(absl::Microseconds(149));
  policy.OnSpinTimeout(0, now);
  EXPECT_TRUE(policy.ShouldSpin(now));
  policy.OnSpinTimeout(1, now);
  EXPECT_FALSE(policy.ShouldSpin(now));
  now += absl::Milliseconds(99);
  EXPECT_FALSE(policy.ShouldSpin(now));
  now += absl::Milliseconds(2);
  EXPECT_TRUE(policy.ShouldSpin(now));
  policy.OnSpinTimeout(1, now);  // none since
  EXPECT_TRUE(policy.ShouldSpin(now));
}

TEST(ThreadPreemptionsTest, NeverDecrease) {
  const int64_t before = ThreadPreemptions();
  EXPECT_GE(before, 0);
  EXPECT_GE(ThreadPreemptions(), before);
}

TEST(SpinPolicyTest, DoesNotSpinWhileTheProcessorIsWanted) {
  const MonotonicTime now = MonotonicTime::AfterStart(absl::Seconds(1));
  bool wanted = false;
  SpinPolicy policy(kSpin, [&wanted] { return wanted; });
  policy.OnWake(absl::Microseconds(10));
  EXPECT_TRUE(policy.ShouldSpin(now));
  wanted = true;
  EXPECT_FALSE(policy.ShouldSpin(now));
  wanted = false;
  EXPECT_TRUE(policy.ShouldSpin(now));
}

}  // namespace
}  // namespace sigserve
