// A scheduler on a clock of the test's, and the tasks and batches of one test.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/batching/scheduler.h"
#include "tests/support/fake_batches.h"

namespace sigserve {

inline constexpr absl::Duration kMs = absl::Milliseconds(1);

struct Ask {
  int64_t rows = 1;
  absl::Duration time_left = absl::InfiniteDuration();
  int priority = 0;
};

class SchedulerTest : public testing::Test {
 protected:
  void Start(SchedulerOptions options) { scheduler_.emplace(options); }
  testing_support::TaskProbe& Offer(const BatchTarget& target, Ask ask = {}) {
    testing_support::TaskProbe& probe = probes_.emplace_back();
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
  std::deque<testing_support::TaskProbe> probes_;
  std::deque<Scheduler::Batch> running_;
  std::vector<std::string> dropped_;
  BatchTarget ms_ = testing_support::DoublingTarget("ms", 0, 1000);  // a millisecond a row
  BatchTarget other_ = testing_support::DoublingTarget("other", 0, 1000);
  BatchTarget fixed_ =
      testing_support::DoublingTarget("fixed", 900, 1);  // cheap rows in dear batches
};

}  // namespace sigserve
