// Callers who never let up offer several times what can be done, on a virtual clock: as much is
// done as ever, and who is let in waits no longer than the model's latency target allows, whatever
// a batch costs.
#include <algorithm>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/batching/scheduler.h"
#include "tests/support/fake_batches.h"

namespace sigserve {
namespace {

using testing_support::DoubledRows;
using testing_support::DoublingTarget;
using testing_support::TaskProbe;

constexpr absl::Duration kLength = absl::Seconds(20);
constexpr absl::Duration kSettled = absl::Seconds(5);

struct Case {
  double batch_us, row_us;
  double target_ms;
  double times;  // what is offered, as a multiple of what can be done
};

class OpenLoop {
 public:
  explicit OpenLoop(const Case& c)
      : case_(c), target_(DoublingTarget("m", c.batch_us, c.row_us)), scheduler_({.workers = 1}) {
    target_.queue.latency_target = absl::Milliseconds(c.target_ms);
  }

  /// Rows a second of batches of the best size.
  double capacity() const {
    const auto rows = static_cast<double>(GoodRows(target_));
    return 1e6 * rows / (case_.batch_us + case_.row_us * rows);
  }

  void Run() {
    std::exponential_distribution<double> gap_s(case_.times * capacity());
    MonotonicTime next_caller = now_;
    while (now_.since_start() < kLength) {
      now_ = std::min(next_caller, end_);
      if (now_ == end_) EndBatch();
      if (now_ == next_caller) {
        Offer();
        next_caller += absl::Seconds(gap_s(random_));
      }
      StartBatch();
    }
  }

  int64_t rows_done = 0;          // once it has settled
  absl::Duration worst;           // latency of these
  absl::Duration worst_at_first;  // of all

 private:
  void Offer() {
    TaskProbe& probe = probes_.emplace_back();
    Task task = probe.NewTask(1, 1, now_);
    task.done = [this, asked = now_, done = std::move(task.done)](const absl::Status& status,
                                                                  const TaskOutputs* outputs,
                                                                  const TaskTiming& timing) {
      done(status, outputs, timing);
      if (!status.ok()) return;
      worst_at_first = std::max(worst_at_first, now_ - asked);
      if (now_.since_start() < kSettled) return;
      ++rows_done;
      worst = std::max(worst, now_ - asked);
    };
    scheduler_.Offer(now_, target_, std::move(task));
    EndDropped();
    while (!probes_.empty() && probes_.front().ends > 0) probes_.pop_front();
  }

  void StartBatch() {
    if (running_.has_value()) return;
    running_ = scheduler_.Next(now_);
    EndDropped();
    if (!running_.has_value()) return;
    const auto rows = static_cast<double>(running_->tasks.size());
    end_ = now_ + absl::Microseconds(case_.batch_us + case_.row_us * rows);
  }

  void EndBatch() {
    end_ = MonotonicTime::InfiniteFuture();
    const Scheduler::Batch ended = *std::exchange(running_, std::nullopt);
    scheduler_.Ended(now_, ended.id);
    for (const Task& task : ended.tasks) {
      const DoubledRows results(task.inputs[0]);
      task.done(absl::OkStatus(), &results, {});
    }
  }

  void EndDropped() {
    for (const Scheduler::Dropped& dropped : scheduler_.TakeDropped()) dropped.End();
  }

  const Case case_;
  std::mt19937 random_{20261121};
  MonotonicTime now_;
  MonotonicTime end_ = MonotonicTime::InfiniteFuture();
  BatchTarget target_;
  Scheduler scheduler_;
  std::deque<TaskProbe> probes_;
  std::optional<Scheduler::Batch> running_;
};

TEST(OverloadTest, AsMuchIsDoneAsEverAndNobodyWaitsForLong) {
  for (const Case& c : std::vector<Case>{
           {7000, 5000, 150, 2},
           {7000, 5000, 150, 10},
           {7000, 5000, 60, 10},
           {20000, 100, 100, 10},
           {500, 100, 20, 3},
           {500, 100, 20, 10},
           {0, 1000, 50, 10},
       }) {
    SCOPED_TRACE(absl::StrCat(c.batch_us, " us + ", c.row_us, " us a row, target ", c.target_ms,
                              " ms, offered ", c.times, " times"));
    OpenLoop load(c);
    load.Run();
    const double goodput =
        static_cast<double>(load.rows_done) / absl::ToDoubleSeconds(kLength - kSettled);
    EXPECT_GT(goodput, 0.95 * load.capacity());
    EXPECT_LT(load.worst, 1.5 * absl::Milliseconds(c.target_ms));
    // It could be a burst: that is let in.
    EXPECT_LT(load.worst_at_first, 5 * absl::Milliseconds(c.target_ms));
  }
}

}  // namespace
}  // namespace sigserve
