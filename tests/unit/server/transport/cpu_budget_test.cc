#include "server/transport/cpu_budget.h"

#include "gtest/gtest.h"

namespace sigserve {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

constexpr MonotonicTime At(absl::Duration time) { return MonotonicTime::AfterStart(time); }

// A thread with a simulated clock.
class Thread {
 public:
  explicit Thread(double share) : budget_(share) { budget_.Start(used_, now_); }

  /// Works for `work`, preempted for `taken`; returns how long it then rests.
  absl::Duration Turn(absl::Duration work, absl::Duration taken = absl::ZeroDuration()) {
    used_ += work;
    now_ += work + taken;
    const absl::Duration rest = budget_.Rest(used_, now_);
    now_ += rest;
    return rest;
  }
  void Idle(absl::Duration time) { now_ += time; }
  double part() const { return absl::FDivDuration(used_, now_.since_start()); }

 private:
  CpuBudget budget_;
  absl::Duration used_;
  MonotonicTime now_;
};

TEST(CpuBudgetTest, NoRestBelowTheShare) {
  for (const absl::Duration turn : {0.1 * kMs, kMs, 20 * kMs}) {
    Thread thread(0.5);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(thread.Turn(turn, turn), absl::ZeroDuration()) << i;
  }
}

TEST(CpuBudgetTest, AThreadThatAlwaysWorksGetsExactlyItsShare) {
  for (const double part : {0.25, 0.5, 0.9}) {
    for (const absl::Duration turn : {0.3 * kMs, 2 * kMs}) {
      Thread thread(part);
      for (int i = 0; i < 10000; ++i) thread.Turn(turn);
      EXPECT_NEAR(thread.part(), part, 0.01) << turn;
    }
  }
}

TEST(CpuBudgetTest, IdleTimeEarnsOneBurstAtMost) {
  Thread thread(0.5);
  EXPECT_EQ(thread.Turn(2 * kMs), absl::ZeroDuration());
  thread.Idle(absl::Seconds(100));
  EXPECT_EQ(thread.Turn(0.1 * kMs), absl::ZeroDuration());
  EXPECT_EQ(thread.Turn(2 * kMs), absl::ZeroDuration());
  EXPECT_GT(thread.Turn(4 * kMs), absl::ZeroDuration());
}

TEST(CpuBudgetTest, DebtBeyondOneRestIsForgiven) {
  Thread thread(0.5);
  EXPECT_EQ(thread.Turn(absl::Seconds(1)), 10 * kMs);
  EXPECT_EQ(thread.Turn(0.01 * kMs), 0.01 * kMs);
}

TEST(CpuBudgetTest, TimeUsedWhileStoppedIsFree) {
  CpuBudget budget(0.5);
  budget.Start(absl::Seconds(5), At(absl::Seconds(7)));
  EXPECT_EQ(budget.Rest(absl::Seconds(5) + kMs, At(absl::Seconds(7)) + kMs), absl::ZeroDuration());
  budget.Stop();
  EXPECT_FALSE(budget.active());
  budget.Start(absl::Seconds(50), At(absl::Seconds(52)));
  budget.Start(absl::Seconds(60), At(absl::Seconds(62)));  // no effect: it is active
  EXPECT_EQ(budget.Rest(absl::Seconds(50) + kMs, At(absl::Seconds(52)) + kMs),
            absl::ZeroDuration());
}

TEST(CpuBudgetTest, AWholeProcessorIsNoLimit) {
  EXPECT_FALSE(CpuBudget(1).limits());
  EXPECT_FALSE(CpuBudget(4).limits());
  EXPECT_TRUE(CpuBudget(0.5).limits());
}

}  // namespace
}  // namespace sigserve
