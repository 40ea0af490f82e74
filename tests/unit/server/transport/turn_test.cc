#include "server/transport/turn.h"

#include "gtest/gtest.h"

namespace sigserve {
namespace {

class TurnPolicyTest : public testing::Test {
 protected:
  /// Waits for one event; `poll_result` is what every poll returns.
  bool Wait(TurnPolicy* turn, WaitResult poll_result, bool sleep_result = true) {
    return turn->Wait(
        [&] {
          ++polls_;
          return poll_result;
        },
        [&] {
          ++sleeps_;
          return sleep_result;
        });
  }

  int polls_ = 0;
  int sleeps_ = 0;
};

TEST_F(TurnPolicyTest, WithoutASpinItSleeps) {
  TurnPolicy turn({});
  EXPECT_TRUE(Wait(&turn, WaitResult::kEvent));
  EXPECT_TRUE(Wait(&turn, WaitResult::kEvent));
  EXPECT_FALSE(Wait(&turn, WaitResult::kEvent, false));
  EXPECT_EQ(polls_, 0);
  EXPECT_EQ(sleeps_, 3);
}

TEST_F(TurnPolicyTest, SpinsOnceEventsArriveQuickly) {
  TurnPolicy turn({.spin = absl::Hours(1)});
  EXPECT_TRUE(Wait(&turn, WaitResult::kEvent));
  EXPECT_EQ(polls_, 0);  // none has arrived before
  EXPECT_TRUE(Wait(&turn, WaitResult::kEvent));
  EXPECT_FALSE(Wait(&turn, WaitResult::kShutdown));
  EXPECT_EQ(polls_, 2);
  EXPECT_EQ(sleeps_, 1);
}

TEST_F(TurnPolicyTest, ASpinWithoutAnEventEndsInSleep) {
  TurnPolicy turn({.spin = absl::Nanoseconds(1)});
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Wait(&turn, WaitResult::kTimeout));
  EXPECT_EQ(sleeps_, 100);
}

TEST_F(TurnPolicyTest, DrainsUntilTwoPollsFindNothing) {
  TurnPolicy turn({});
  int calls = 0;
  turn.Drain([&] { return ++calls <= 3 || calls == 5; });  // the second poll finds one more
  EXPECT_EQ(calls, 6);
}

TEST_F(TurnPolicyTest, ATurnEndsUnderOverload) {
  TurnPolicy turn({});
  int events = 0;
  turn.Drain([&] {
    ++events;
    return true;
  });
  EXPECT_EQ(events, 511);  // and the first
}

}  // namespace
}  // namespace sigserve
