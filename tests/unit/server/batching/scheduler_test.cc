#include "server/batching/scheduler.h"

#include <algorithm>
#include <deque>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_batches.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;
using testing_support::DoublingTarget;
using testing_support::TaskProbe;

constexpr absl::Duration kMs = absl::Milliseconds(1);

struct Ask {
  int64_t rows = 1;
  absl::Duration time_left = absl::InfiniteDuration();
  int priority = 0;
};

class SchedulerTest : public testing::Test {
 protected:
  void Start(SchedulerOptions options) { scheduler_.emplace(options); }
  TaskProbe& Offer(const BatchTarget& target, Ask ask = {}) {
    TaskProbe& probe = probes_.emplace_back();
    Task task = probe.NewTask(ask.rows, 1, now_);
    task.deadline = now_ + ask.time_left;
    task.priority = ask.priority;
    task.cancelled = [this] { return gone_; };
    scheduler_->Offer(now_, target, std::move(task));
    EndDropped();
    return probe;
  }
  /// "m 3 worker_free": model, rows, reason; "-" for none.
  std::string Next() {
    std::optional<Scheduler::Batch> batch = scheduler_->Next(now_);
    EndDropped();
    if (!batch.has_value()) return "-";
    int64_t rows = 0;
    for (const Task& task : batch->tasks) rows += task.rows;
    const std::string text =
        absl::StrCat(batch->target->model, " ", rows, " ", absl::string_view(Name(batch->reason)));
    running_.push_back(*std::move(batch));
    return text;
  }
  /// Ends the batch that runs the longest.
  void End(absl::Duration took = kMs) {
    now_ += took;
    const Scheduler::Batch batch = std::move(running_.front());
    running_.pop_front();
    scheduler_->Ended(now_, batch.id);
    for (const Task& task : batch.tasks) {
      const testing_support::DoubledRows results(task.inputs[0]);
      task.done(absl::OkStatus(), &results, {});
    }
  }
  void EndDropped() {
    for (const Scheduler::Dropped& dropped : scheduler_->TakeDropped()) {
      dropped_.push_back(std::string(Name(dropped.reason)));
      dropped.End();
    }
  }

  MonotonicTime now_ = MonotonicTime::AfterStart(absl::Seconds(1000));
  bool gone_ = false;
  std::optional<Scheduler> scheduler_;
  std::deque<TaskProbe> probes_;
  std::deque<Scheduler::Batch> running_;
  std::vector<std::string> dropped_;
  BatchTarget ms_ = DoublingTarget("ms", 0, 1000);  // a millisecond a row
  BatchTarget other_ = DoublingTarget("other", 0, 1000);
  BatchTarget fixed_ = DoublingTarget("fixed", 900, 1);  // cheap rows in dear batches
};

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
  for (int i = 0; i < 3; ++i) Offer(ms_);  // no cost beside the rows: batches gain nothing
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
                                       HasSubstr("a request of a higher priority came")));
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

// Refusals and other ends.

TEST_F(SchedulerTest, WhatCannotFinishInTimeIsRefusedAtOnce) {
  Start({.workers = 1});
  Offer(ms_, {.rows = 10});
  Next();
  Offer(ms_, {.rows = 10});
  TaskProbe& hopeless = Offer(ms_, {.rows = 1, .time_left = kMs / 2});
  EXPECT_THAT(hopeless.status,
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("its deadline is in 0 ms")));
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
  EXPECT_THAT(probes_[60].status,
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("others have less")));
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
