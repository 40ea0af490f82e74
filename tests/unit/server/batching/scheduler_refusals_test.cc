#include "server/batching/scheduler.h"

#include <algorithm>
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

TEST_F(SchedulerTest, WhatCannotFinishInTimeIsRefusedAtOnce) {
  Start({.workers = 1});
  Offer(ms_, {.rows = 10});
  Next();
  Offer(ms_, {.rows = 10});
  TaskProbe& hopeless = Offer(ms_, {.rows = 1, .time_left = kMs / 2});
  EXPECT_THAT(hopeless.status, StatusIs(absl::StatusCode::kResourceExhausted,
                                        HasSubstr("exceeds the 0 ms left before the deadline")));
  EXPECT_TRUE(RetryAfter(hopeless.status).has_value());
  TaskProbe& fine = Offer(ms_, {.rows = 1, .time_left = 50 * kMs});
  EXPECT_EQ(fine.ends, 0);
  EXPECT_THAT(dropped_, testing::ElementsAre("cannot_finish"));
}

TEST_F(SchedulerTest, LaxRequestsDoNotMakeATightOneHopeless) {
  Start({.workers = 1});
  for (int i = 0; i < 100; ++i) Offer(ms_);
  Next();
  TaskProbe& tight = Offer(ms_, {.time_left = 5 * kMs});
  EXPECT_EQ(tight.ends, 0);
  End();
  Next();
  End();
  EXPECT_EQ(tight.ends, 1);
  EXPECT_OK(tight.status);
}

TEST_F(SchedulerTest, AnIdleWorkerTriesWhateverTheEstimate) {
  Start({.workers = 1});
  TaskProbe& probe = Offer(ms_, {.rows = 100, .time_left = kMs});
  EXPECT_EQ(probe.ends, 0);
  EXPECT_EQ(Next(), "ms 1 split");
}

TEST_F(SchedulerTest, LateAndAbandonedTasksAreNotRun) {
  Start({.workers = 1});
  Offer(ms_);
  Next();
  TaskProbe& late = Offer(ms_, {.time_left = 10 * kMs});
  End(20 * kMs);
  EXPECT_EQ(Next(), "-");
  EXPECT_THAT(late.status, StatusIs(absl::StatusCode::kDeadlineExceeded, testing::_));
  Offer(ms_);
  gone_ = true;
  EXPECT_EQ(Next(), "-");
  EXPECT_THAT(dropped_, testing::ElementsAre("expired", "cancelled"));
}

TEST_F(SchedulerTest, TheRestOfAFailedRequestIsNotRun) {
  Start({.workers = 1});
  TaskProbe& probe = Offer(ms_, {.rows = 3});
  Next();
  const Scheduler::Batch batch = std::move(running_.front());
  running_.pop_front();
  scheduler_->Ended(now_, batch.id);
  batch.tasks[0].done(absl::InvalidArgumentError("bad row"), nullptr, {});
  EXPECT_EQ(Next(), "-");
  EXPECT_EQ(probe.ends, 1);
  EXPECT_THAT(probe.status, StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
}

TEST_F(SchedulerTest, QueuesAreBoundedInRowsBytesAndTime) {
  for (const SchedulerOptions& options :
       {SchedulerOptions{.max_rows = 50}, SchedulerOptions{.max_bytes = 200},
        SchedulerOptions{.max_time = 50 * kMs}}) {
    Start(options);
    dropped_.clear();
    Offer(ms_);
    Next();
    for (int i = 0; i < 60; ++i) Offer(ms_);
    EXPECT_EQ(scheduler_->queued_rows(), 50);
    EXPECT_EQ(dropped_, std::vector<std::string>(10, "queue_full"));
    scheduler_->Close();
    EndDropped();
    running_.clear();
  }
}

/// Four bytes a row. The other has a third of the room by its weight, and no more.
TEST_F(SchedulerTest, OneModelsRequestsKeepNoOtherOut) {
  Start({.workers = 1, .max_bytes = 240});
  ms_.queue.weight = 2;
  Offer(ms_);
  Next();
  for (int i = 0; i < 60; ++i) Offer(ms_);
  EXPECT_EQ(scheduler_->queued_bytes(), 240);
  EXPECT_TRUE(dropped_.empty());
  std::vector<TaskProbe*> others;
  for (int i = 0; i < 25; ++i) others.push_back(&Offer(other_));
  EXPECT_EQ(scheduler_->queued_bytes(), 240);
  EXPECT_EQ(std::count(dropped_.begin(), dropped_.end(), "pushed_out"), 20);
  EXPECT_EQ(std::count(dropped_.begin(), dropped_.end(), "queue_full"), 5);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(others[static_cast<size_t>(i)]->ends, 0) << i;
  for (int i = 20; i < 25; ++i) EXPECT_EQ(others[static_cast<size_t>(i)]->ends, 1) << i;
  // Who came last goes first.
  EXPECT_THAT(probes_[60].status, StatusIs(absl::StatusCode::kResourceExhausted,
                                           HasSubstr("holds more than its share")));
  EXPECT_EQ(probes_[40].ends, 0);
  // A third one: the shares are now a half and two quarters.
  BatchTarget third = DoublingTarget("third", 0, 1000);
  for (int i = 0; i < 16; ++i) Offer(third);
  const auto ended = [this](size_t first, size_t last) {
    return std::count_if(probes_.begin() + static_cast<std::ptrdiff_t>(first),
                         probes_.begin() + static_cast<std::ptrdiff_t>(last),
                         [](const TaskProbe& probe) { return probe.ends > 0; });
  };
  EXPECT_EQ(ended(1, 61), 30);
  EXPECT_EQ(ended(61, 86), 5 + 5);
  EXPECT_EQ(ended(86, 102), 1);
}

/// Processors that are busy, or a wrong estimate, make one model's batches late, not the others'.
TEST_F(SchedulerTest, AModelThatIsSlowerThanThoughtDelaysNoOthersEstimates) {
  Start({.workers = 1});
  for (int i = 0; i < 50; ++i) {
    Offer(ms_);
    Next();
    End(8 * kMs);
  }
  Offer(other_);
  Next();
  EXPECT_EQ(Offer(other_, {.time_left = 3 * kMs}).ends, 0);
  EXPECT_EQ(Offer(ms_, {.time_left = 7 * kMs}).ends, 1);
  EXPECT_THAT(dropped_, testing::ElementsAre("cannot_finish"));
}

TEST_F(SchedulerTest, AbandonedTasksMakeRoom) {
  Start({.workers = 1, .max_rows = 10});
  Offer(ms_);
  Next();
  for (int i = 0; i < 10; ++i) Offer(ms_);
  gone_ = true;
  Offer(ms_);
  EXPECT_EQ(dropped_, std::vector<std::string>(10, "cancelled"));
  EXPECT_EQ(scheduler_->queued_rows(), 1);
}

TEST_F(SchedulerTest, AModelsConfigBoundsRequestsAndWaiting) {
  Start({.workers = 1});
  ms_.queue.max_requests = 3;
  ms_.queue.max_wait = 5 * kMs;
  Offer(ms_);
  Next();
  for (int i = 0; i < 4; ++i) Offer(ms_);
  EXPECT_THAT(dropped_, testing::ElementsAre("queue_full"));
  End(6 * kMs);
  EXPECT_EQ(Next(), "-");
  EXPECT_THAT(dropped_, testing::ElementsAre("queue_full", "waited", "waited", "waited"));
}

/// Twice as much as can be done, for a second: the queue is let grow for a while, then waiting
/// stays near what is fine. A burst of the same depth is not refused.
TEST_F(SchedulerTest, OnlyLastingDelayIsOverload) {
  Start({.workers = 1, .delay_target = 25 * kMs, .delay_interval = 100 * kMs});
  ms_.queue.latency_target = 50 * kMs;
  for (int i = 0; i < 60; ++i) Offer(ms_);
  EXPECT_TRUE(dropped_.empty());
  absl::Duration longest;
  Next();
  for (int ms = 0; ms < 1000; ++ms) {
    End();
    Offer(ms_);
    Offer(ms_);
    Next();
    if (ms > 500) {
      longest = std::max(longest, now_ - running_.front().tasks[0].arrival);
    }
  }
  EXPECT_GT(dropped_.size(), 700U);
  EXPECT_THAT(dropped_.back(), "overload");
  EXPECT_LT(longest, 40 * kMs);
  EXPECT_GT(longest, 10 * kMs);
}

TEST_F(SchedulerTest, AfterCloseAllIsUnavailable) {
  Start({.workers = 1});
  TaskProbe& running = Offer(ms_, {.rows = 3});
  Next();
  TaskProbe& waiting = Offer(ms_);
  scheduler_->Close();
  EndDropped();
  EXPECT_THAT(waiting.status, StatusIs(absl::StatusCode::kUnavailable, testing::_));
  EXPECT_EQ(running.ends, 0);
  End();
  EXPECT_EQ(running.ends, 1);
  EXPECT_THAT(Offer(ms_).status, StatusIs(absl::StatusCode::kUnavailable, testing::_));
  EXPECT_EQ(Next(), "-");
}

}  // namespace
}  // namespace sigserve
