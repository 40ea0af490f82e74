// One client sends requests of 4,096 rows as fast as they are answered, others one row now and
// then: on a virtual clock, whatever a row costs, the one-row callers wait for a few batches of the
// large ones at most, and the large ones have what is left of the time.
#include <algorithm>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/batching/scheduler.h"
#include "tests/support/fake_batches.h"

namespace sigserve {
namespace {

using testing_support::DoubledRows;
using testing_support::DoublingTarget;
using testing_support::TaskProbe;

constexpr int64_t kGreedyRows = 4096;
constexpr int kGreedyRequests = 8;  // unanswered at any time
constexpr absl::Duration kLength = absl::Seconds(10);

struct Case {
  int workers;
  double batch_us, row_us;
  bool same_model;  // both ask for one model
};

class Mix {
 public:
  explicit Mix(const Case& c)
      : case_(c),
        scheduler_({.workers = c.workers}),
        large_model_(DoublingTarget("large", c.batch_us, c.row_us)),
        small_model_(DoublingTarget("small", c.batch_us, c.row_us)) {}

  void Run() {
    // The one-row callers need a tenth of the time.
    const double gap_us = 10 * (case_.batch_us + case_.row_us) / case_.workers;
    std::exponential_distribution<double> gap(1 / gap_us);
    MonotonicTime next_caller = now_;
    while (now_.since_start() < kLength) {
      while (greedy_open_ < kGreedyRequests && now_ >= greedy_retries_at_) OfferLarge();
      MonotonicTime next = next_caller;
      for (const Running& running : running_) next = std::min(next, running.end);
      now_ = std::max(now_, next);
      if (next == next_caller) {
        OfferSmall();
        next_caller += absl::Microseconds(gap(random_));
      }
      EndBatches();
    }
  }

  std::vector<absl::Duration> waits;  // of the one-row callers
  int refused = 0;                    // of them
  absl::Duration large_time;          // workers' time that went to the large requests

 private:
  struct Running {
    Scheduler::Batch batch;
    MonotonicTime start, end;
  };

  const BatchTarget& SmallModel() { return case_.same_model ? large_model_ : small_model_; }

  void OfferLarge() {
    ++greedy_open_;
    Offer(large_model_, kGreedyRows, [this](const absl::Status& status) {
      --greedy_open_;
      if (!status.ok()) greedy_retries_at_ = now_ + absl::Milliseconds(1);
    });
  }
  void OfferSmall() {
    Offer(SmallModel(), 1, [this, asked = now_](const absl::Status& status) {
      if (!status.ok()) ++refused;
      waits.push_back(now_ - asked);
    });
  }

  template <typename Ended>
  void Offer(const BatchTarget& target, int64_t rows, Ended ended) {
    TaskProbe& probe = probes_.emplace_back();
    Task task = probe.NewTask(rows, 1, now_);
    task.done = [ended, done = std::move(task.done)](const absl::Status& status,
                                                     const TaskOutputs* outputs,
                                                     const TaskTiming& timing) {
      done(status, outputs, timing);
      ended(status);
    };
    scheduler_.Offer(now_, target, std::move(task));
    Start();
    while (!probes_.empty() && probes_.front().ends > 0) probes_.pop_front();
  }

  void Start() {
    while (true) {
      std::optional<Scheduler::Batch> batch = scheduler_.Next(now_);
      for (const Scheduler::Dropped& dropped : scheduler_.TakeDropped()) dropped.End();
      if (!batch.has_value()) return;
      double rows = 0;
      for (const Task& task : batch->tasks) rows += static_cast<double>(task.rows);
      // One in fifty loses its processor for a while.
      const double luck = random_() % 50 == 0 ? 4 : 0.8 + 0.4 * static_cast<double>(random_() % 2);
      const absl::Duration took = absl::Microseconds((case_.batch_us + case_.row_us * rows) * luck);
      running_.push_back({*std::move(batch), now_, now_ + took});
    }
  }

  void EndBatches() {
    for (size_t i = 0; i < running_.size();) {
      if (running_[i].end > now_) {
        ++i;
        continue;
      }
      const Running ended = std::move(running_[i]);
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      scheduler_.Ended(now_, ended.batch.id);
      if (ended.batch.reason == DispatchReason::kSplit) large_time += ended.end - ended.start;
      for (const Task& task : ended.batch.tasks) {
        const DoubledRows results(task.inputs[0]);
        task.done(absl::OkStatus(), &results, {});
      }
    }
    Start();
  }

  const Case case_;
  std::mt19937 random_{20240607};
  MonotonicTime now_;
  Scheduler scheduler_;
  const BatchTarget large_model_, small_model_;
  std::deque<TaskProbe> probes_;
  std::vector<Running> running_;
  int greedy_open_ = 0;
  MonotonicTime greedy_retries_at_;
};

absl::Duration Worst(const std::vector<absl::Duration>& waits) {
  return *std::max_element(waits.begin(), waits.end());
}

TEST(FairnessTest, LargeRequestsDoNotStarveOneRowCallers) {
  for (const Case& c : std::vector<Case>{
           {1, 0, 50, true},
           {1, 0, 50, false},
           {2, 100, 200, true},
           {2, 100, 200, false},
           {1, 2000, 20, true},
           {1, 2000, 20, false},
           {4, 20, 1000, true},
           {4, 20, 1000, false},
       }) {
    SCOPED_TRACE(absl::StrCat(c.workers, " workers, ", c.batch_us, " us + ", c.row_us, " us a row",
                              c.same_model ? ", one model" : ", two models"));
    Mix mixed(c);
    mixed.Run();
    ASSERT_GT(mixed.waits.size(), 400U);
    EXPECT_EQ(mixed.refused, 0);
    EXPECT_LT(Worst(mixed.waits), absl::Milliseconds(100));
    EXPECT_GT(mixed.large_time, 0.8 * c.workers * kLength);
  }
}

}  // namespace
}  // namespace sigserve
