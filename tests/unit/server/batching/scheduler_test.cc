#include "server/batching/scheduler.h"

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_batches.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/server/batching/scheduler_fixture.h"

namespace sigserve {
namespace {

using testing::HasSubstr;
using testing_support::DoublingTarget;
using testing_support::TaskProbe;

TEST_F(SchedulerTest, ABatchIsWhatWaitsWhenAWorkerIsFree) {
  Start({.workers = 1});
  Offer(fixed_);
  EXPECT_EQ(Next(), "fixed 1 worker_free");
  for (int i = 0; i < 5; ++i) Offer(fixed_, {.rows = 2});
  EXPECT_EQ(Next(), "-");  // busy
  End();
  EXPECT_EQ(Next(), "fixed 10 worker_free");
  End();
  EXPECT_EQ(Next(), "-");
  for (const TaskProbe& probe : probes_) EXPECT_EQ(probe.ends, 1);
}

TEST_F(SchedulerTest, ABatchIsNoLongerThanItIsWorth) {
  Start({.workers = 1});
  for (int i = 0; i < 3; ++i) Offer(ms_);  // rows cost, batches do not: a batch gains nothing
  EXPECT_EQ(Next(), "ms 1 full");
  End();
  EXPECT_EQ(Next(), "ms 1 full");
  End();
  EXPECT_EQ(Next(), "ms 1 worker_free");
}

TEST_F(SchedulerTest, ALatencyTargetMakesBatchesShorter) {
  Start({.workers = 1});
  fixed_.queue.latency_target = 2 * kMs;  // half of it is to run: 900 us + 100 rows
  Offer(fixed_);
  EXPECT_EQ(Next(), "fixed 1 worker_free");
  for (int i = 0; i < 30; ++i) Offer(fixed_, {.rows = 9});
  End();
  EXPECT_EQ(Next(), "fixed 99 full");
}

TEST_F(SchedulerTest, ADeadlineMakesABatchShorter) {
  Start({.workers = 1});
  Offer(fixed_, {.time_left = 1.05 * kMs});
  for (int i = 0; i < 300; ++i) Offer(fixed_);
  const std::string batch = Next();
  EXPECT_THAT(batch, HasSubstr("deadline"));
  EXPECT_LT(running_[0].tasks.size(), 170U);
}

TEST_F(SchedulerTest, PrioritiesGoBeforeDeadlines) {
  Start({.workers = 1});
  Offer(ms_);
  EXPECT_EQ(Next(), "ms 1 worker_free");
  TaskProbe& low = Offer(ms_, {.time_left = 100 * kMs, .priority = 2});
  TaskProbe& high_late = Offer(ms_, {.time_left = 300 * kMs, .priority = 1});
  TaskProbe& high_soon = Offer(ms_, {.time_left = 200 * kMs, .priority = 1});
  std::vector<int> ends;
  for (int i = 0; i < 3; ++i) {
    End();
    EXPECT_NE(Next(), "-");
    ends.push_back(4 * high_soon.ends + 2 * high_late.ends + low.ends);
  }
  End();
  EXPECT_THAT(ends, testing::ElementsAre(0, 4, 6));  // those before the one that runs now
  EXPECT_EQ(low.ends, 1);
}

TEST_F(SchedulerTest, OfAHigherPriorityOnlyItsOwnIsAhead) {
  Start({.workers = 1});
  Offer(ms_);
  EXPECT_EQ(Next(), "ms 1 worker_free");
  for (int i = 0; i < 40; ++i) Offer(ms_, {.priority = 2});
  const TaskProbe& low = Offer(ms_, {.time_left = 20 * kMs, .priority = 3});
  EXPECT_EQ(low.ends, 1) << "it would be late";
  const TaskProbe& high = Offer(ms_, {.time_left = 20 * kMs, .priority = 1});
  EXPECT_EQ(high.ends, 0);
  End();
  EXPECT_EQ(Next(), "ms 1 full");
  End();
  EXPECT_EQ(high.ends, 1);
  EXPECT_OK(high.status);
}

TEST_F(SchedulerTest, AFullQueueMakesRoomForAHigherPriority) {
  Start({.workers = 1});
  ms_.queue.max_requests = 3;
  Offer(ms_);
  EXPECT_EQ(Next(), "ms 1 worker_free");
  std::vector<TaskProbe*> low;
  for (int i = 0; i < 3; ++i) low.push_back(&Offer(ms_, {.priority = 2}));
  const TaskProbe& same = Offer(ms_, {.priority = 2});
  EXPECT_EQ(same.ends, 1);
  EXPECT_EQ(dropped_, std::vector<std::string>{"queue_full"});
  const TaskProbe& high = Offer(ms_, {.priority = 1});
  EXPECT_EQ(high.ends, 0);
  EXPECT_THAT(dropped_, testing::ElementsAre("queue_full", "pushed_out"));
  EXPECT_EQ(low[2]->ends, 1) << "the last one";
  EXPECT_THAT(low[2]->status, StatusIs(absl::StatusCode::kResourceExhausted,
                                       HasSubstr("a request of higher priority took the place")));
  EXPECT_EQ(low[0]->ends + low[1]->ends, 0);
}

TEST_F(SchedulerTest, TheDeadBehindHigherPrioritiesAreEnded) {
  Start({.workers = 1});
  Offer(ms_, {.priority = 1});
  EXPECT_NE(Next(), "-");
  const TaskProbe& late = Offer(ms_, {.time_left = 30 * kMs, .priority = 2});
  for (int i = 0; i < 40; ++i) {
    Offer(ms_, {.priority = 1});
    Offer(ms_, {.priority = 1});
    End();
    EXPECT_NE(Next(), "-");
  }
  EXPECT_EQ(late.ends, 1);
  EXPECT_THAT(late.status, StatusIs(absl::StatusCode::kDeadlineExceeded, testing::_));
}

TEST_F(SchedulerTest, ASmallRequestDoesNotPassALargeOneOfAHigherPriority) {
  Start({.workers = 1});
  Offer(fixed_);
  EXPECT_NE(Next(), "-");
  const TaskProbe& small = Offer(fixed_, {.rows = 1, .priority = 2});
  const TaskProbe& large = Offer(fixed_, {.rows = 40'000, .priority = 1});
  End();
  for (int i = 0; i < 1000 && large.ends == 0; ++i) {
    EXPECT_NE(Next(), "-");
    End();
    EXPECT_EQ(small.ends, 0);
  }
  EXPECT_EQ(large.ends, 1);
  EXPECT_NE(Next(), "-");
  End();
  EXPECT_EQ(small.ends, 1);
}

TEST_F(SchedulerTest, ALargeRequestIsSharedByTheWorkers) {
  Start({.workers = 4});
  TaskProbe& probe = Offer(ms_, {.rows = 6});
  EXPECT_EQ(Next(), "ms 1 split");
  EXPECT_EQ(Next(), "ms 1 split");
  EXPECT_EQ(Next(), "ms 1 split");
  EXPECT_EQ(Next(), "ms 1 split");
  EXPECT_EQ(Next(), "-");
  for (int part = 0; part < 2; ++part) {
    End();
    EXPECT_EQ(Next(), "ms 1 split");
  }
  for (int part = 0; part < 4; ++part) {
    EXPECT_EQ(probe.ends, 0);
    End();
  }
  EXPECT_EQ(probe.ends, 1);
  EXPECT_THAT(probe.values, testing::ElementsAre(2, 4, 6, 8, 10, 12));
}

TEST_F(SchedulerTest, AMediumRequestIsHalvedForTwoIdleWorkers) {
  Start({.workers = 2});
  BatchTarget light = DoublingTarget("light", 0, 1);
  Offer(light, {.rows = 600});
  EXPECT_EQ(Next(), "light 300 split");
  EXPECT_EQ(Next(), "light 300 split");
}

TEST_F(SchedulerTest, TheEarliestDeadlineComesFirst) {
  Start({.workers = 1});
  Offer(ms_);
  EXPECT_EQ(Next(), "ms 1 worker_free");
  TaskProbe& later = Offer(ms_, {.time_left = 500 * kMs});
  TaskProbe& sooner = Offer(ms_, {.time_left = 100 * kMs});
  End();
  Next();
  End();
  EXPECT_EQ(sooner.ends, 1);
  EXPECT_EQ(later.ends, 0);
}

TEST_F(SchedulerTest, SmallRequestsAreNotStuckBehindLargeOnes) {
  Start({.workers = 1});
  for (int i = 0; i < 4; ++i) Offer(ms_, {.rows = 100});
  EXPECT_EQ(Next(), "ms 1 split");
  TaskProbe& small = Offer(ms_);
  End();
  for (int batches = 0; small.ends == 0; ++batches) {
    ASSERT_LT(batches, 3);
    Next();
    End();
  }
}

TEST_F(SchedulerTest, ModelsTakeTurnsByWeight) {
  Start({.workers = 1});
  other_.queue.weight = 3;
  for (int i = 0; i < 60; ++i) {
    Offer(ms_);
    Offer(other_);
  }
  std::map<std::string, int> ran;
  for (int i = 0; i < 40; ++i) {
    ++ran[Next().substr(0, 2)];
    End();
  }
  EXPECT_NEAR(ran["ot"], 30, 1);
  EXPECT_NEAR(ran["ms"], 10, 1);
}

TEST_F(SchedulerTest, WhoWasIdleHasSavedUpNoTurns) {
  Start({.workers = 1});
  for (int i = 0; i < 60; ++i) Offer(ms_);
  for (int i = 0; i < 30; ++i) {
    Next();
    End();
  }
  for (int i = 0; i < 20; ++i) Offer(other_);
  int others = 0;
  for (int i = 0; i < 20; ++i) {
    others += Next().substr(0, 2) == "ot" ? 1 : 0;
    End();
  }
  EXPECT_NEAR(others, 10, 1);
}

TEST_F(SchedulerTest, ABatchThatTookLongerCountsAsLonger) {
  Start({.workers = 1});
  for (int i = 0; i < 60; ++i) {
    Offer(ms_);
    Offer(other_);
  }
  int others = 0;
  for (int i = 0; i < 40; ++i) {
    const bool is_other = Next().substr(0, 2) == "ot";
    others += is_other ? 1 : 0;
    End(is_other ? 3 * kMs : kMs);
  }
  EXPECT_NEAR(others, 10, 2);
}

TEST_F(SchedulerTest, UnknownModelsRunInSmallParts) {
  Start({.workers = 1});
  BatchTarget unknown;
  unknown.model = "new";
  unknown.batchable = true;
  Offer(unknown, {.rows = 100});
  EXPECT_EQ(Next(), "new 32 split");
}

TEST_F(SchedulerTest, WhatCannotBeStackedRunsAlone) {
  Start({.workers = 1});
  fixed_.batchable = false;
  Offer(fixed_);
  Offer(fixed_);
  EXPECT_EQ(Next(), "fixed 1 worker_free");
  End();
  EXPECT_EQ(Next(), "fixed 1 worker_free");
}

}  // namespace
}  // namespace sigserve
