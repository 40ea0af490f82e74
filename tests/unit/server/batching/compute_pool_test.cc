#include "server/batching/compute_pool.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/batching/drain_batcher.h"
#include "tests/support/fake_batches.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::DoubledRows;
using testing_support::DoublingTarget;
using testing_support::TaskProbe;

class ComputePoolTest : public testing::Test {
 protected:
  void Start(int workers) {
    SchedulerOptions options;
    options.workers = workers;
    options.max_rows = 1 << 30;
    options.max_time = absl::Hours(1);
    pool_.emplace(
        options, &clock_,
        [this](const BatchTarget&, DispatchReason reason) {
          absl::MutexLock lock(&mutex_);
          reasons_.insert(std::string(Name(reason)));
        },
        [this](const BatchTarget&, DropReason reason) {
          absl::MutexLock lock(&mutex_);
          reasons_.insert(std::string(Name(reason)));
        });
  }
  std::multiset<std::string> Reasons() {
    absl::MutexLock lock(&mutex_);
    return reasons_;
  }

  RealClock clock_;
  absl::Mutex mutex_;
  std::multiset<std::string> reasons_ ABSL_GUARDED_BY(mutex_);
  std::optional<ComputePool> pool_;
};

/// Calls `counter` after the probe's own `done`.
Task Counted(Task task, absl::BlockingCounter* counter) {
  task.done = [done = std::move(task.done), counter](const absl::Status& status,
                                                     const TaskOutputs* outputs,
                                                     const TaskTiming& timing) {
    done(status, outputs, timing);
    counter->DecrementCount();
  };
  return task;
}

TEST_F(ComputePoolTest, RunsAndAnswers) {
  Start(2);
  const BatchTarget target = DoublingTarget("m", 10, 1000);
  TaskProbe one;
  TaskProbe large;
  absl::BlockingCounter ended(2);
  pool_->Add(target, Counted(one.NewTask(1, 7, clock_.Monotonic()), &ended));
  pool_->Add(target, Counted(large.NewTask(500, 1, clock_.Monotonic()), &ended));
  ended.Wait();
  EXPECT_THAT(one.values, testing::ElementsAre(14));
  ASSERT_EQ(large.values.size(), 500U);
  for (size_t i = 0; i < 500; ++i) ASSERT_EQ(large.values[i], 2 * static_cast<float>(i + 1));
  EXPECT_GE(one.timing.queued, absl::ZeroDuration());
  EXPECT_GE(Reasons().count("split"), 2U);
}

/// One Add() may bring work for several threads, of which it wakes one.
TEST_F(ComputePoolTest, ALargeRequestRunsOnAllIdleThreads) {
  Start(2);
  BatchTarget target = DoublingTarget("m", 10, 1000);
  absl::Mutex mutex;
  int inside = 0;
  int most = 0;
  absl::Notification both_came;
  target.run = [&](absl::Span<const TensorView> inputs)
      -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
    {
      absl::MutexLock lock(&mutex);
      most = std::max(most, ++inside);
      if (most == 2 && !both_came.HasBeenNotified()) both_came.Notify();
    }
    both_came.WaitForNotificationWithTimeout(absl::Seconds(5));
    absl::MutexLock lock(&mutex);
    --inside;
    return std::make_unique<DoubledRows>(inputs[0]);
  };
  TaskProbe large;
  absl::BlockingCounter ended(1);
  pool_->Add(target, Counted(large.NewTask(500, 1, clock_.Monotonic()), &ended));
  ended.Wait();
  EXPECT_OK(large.status);
  EXPECT_EQ(most, 2);
}

TEST_F(ComputePoolTest, SaysHowManyThreadsAreBusy) {
  Start(1);
  EXPECT_EQ(pool_->busy(), 0);
  BatchTarget target = DoublingTarget("m", 10, 1000);
  absl::Notification first_runs;
  absl::Notification second_waits;
  std::vector<int> busy;
  target.run = [&](absl::Span<const TensorView> inputs)
      -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
    if (busy.empty()) {
      first_runs.Notify();
      second_waits.WaitForNotification();
    }
    busy.push_back(pool_->busy());
    return std::make_unique<DoubledRows>(inputs[0]);
  };
  TaskProbe first;
  TaskProbe second;
  absl::BlockingCounter ended(2);
  pool_->Add(target, Counted(first.NewTask(1, 1, clock_.Monotonic()), &ended));
  first_runs.WaitForNotification();
  pool_->Add(target, Counted(second.NewTask(1, 1, clock_.Monotonic()), &ended));
  second_waits.Notify();
  ended.Wait();
  EXPECT_THAT(busy, testing::ElementsAre(2, 1));
}

/// Many threads, models that go with their last answer, random sizes, cancels and deadlines: each
/// task ends once, with its own rows.
TEST_F(ComputePoolTest, EveryTaskEndsOnceWithItsOwnAnswer) {
  Start(3);
  constexpr int kThreads = 3;
  constexpr int kTasks = 1500;
  std::deque<TaskProbe> probes(kThreads * kTasks);
  absl::BlockingCounter ended(kThreads * kTasks);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      std::shared_ptr<BatchTarget> target;
      for (int i = 0; i < kTasks; ++i) {
        if (i % 100 == 0) {  // a new version; the old one stays until its last answer is out
          target = std::make_shared<BatchTarget>(DoublingTarget("m", 5, i % 300 == 0 ? 300 : 3));
        }
        const int id = t * kTasks + i;
        TaskProbe& probe = probes[static_cast<size_t>(id)];
        const int64_t rows = random() % 20 == 0 ? 1 + random() % 400 : 1 + random() % 3;
        Task task =
            Counted(probe.NewTask(rows, static_cast<float>(id), clock_.Monotonic()), &ended);
        if (random() % 10 == 0) task.deadline = clock_.Monotonic() + absl::Milliseconds(1);
        if (random() % 10 == 0) task.cancelled = [] { return true; };
        task.done = [done = std::move(task.done), target](
                        const absl::Status& status, const TaskOutputs* outputs,
                        const TaskTiming& timing) { done(status, outputs, timing); };
        pool_->Add(*target, std::move(task));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ended.Wait();
  int ran = 0;
  for (size_t id = 0; id < probes.size(); ++id) {
    const TaskProbe& probe = probes[id];
    ASSERT_EQ(probe.ends, 1);
    if (!probe.status.ok()) continue;
    ++ran;
    ASSERT_EQ(probe.values.size(), static_cast<size_t>(probe.input.shape()[0]));
    for (size_t i = 0; i < probe.values.size(); ++i) {
      ASSERT_EQ(probe.values[i], 2 * (static_cast<float>(id) + static_cast<float>(i)));
    }
  }
  EXPECT_GT(ran, kThreads * kTasks / 2);
}

TEST_F(ComputePoolTest, AtItsEndWhatRunsIsAnsweredAndWhatWaitsIsNotRun) {
  Start(1);
  absl::Notification started;
  absl::Notification go_on;
  BatchTarget slow = DoublingTarget("slow", 0, 1000);
  slow.run = [&](absl::Span<const TensorView> inputs)
      -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
    started.Notify();
    go_on.WaitForNotification();
    return std::make_unique<DoubledRows>(inputs[0]);
  };
  TaskProbe runs;
  TaskProbe waits;
  absl::Notification dropped;
  pool_->Add(slow, runs.NewTask(1));
  started.WaitForNotification();
  Task task = waits.NewTask(1);
  task.done = [done = std::move(task.done), &dropped](const absl::Status& status,
                                                      const TaskOutputs* outputs,
                                                      const TaskTiming& timing) {
    done(status, outputs, timing);
    dropped.Notify();
  };
  pool_->Add(slow, std::move(task));
  std::thread end([this] { pool_.reset(); });
  dropped.WaitForNotification();
  EXPECT_EQ(runs.ends, 0);
  go_on.Notify();
  end.join();
  EXPECT_OK(runs.status);
  EXPECT_EQ(runs.ends, 1);
  EXPECT_THAT(waits.status, StatusIs(absl::StatusCode::kUnavailable, testing::_));
}

/// Where a drain's tasks go: by what they cost.
class KeepingSink final : public TaskSink {
 public:
  void Add(const BatchTarget& target, Task task) override {
    passed_on.push_back(absl::StrCat(target.model, " ", task.rows));
    task.done(absl::CancelledError(""), nullptr, {});
  }
  std::vector<std::string> passed_on;
};

TEST(LanesTest, ByMeasuredCost) {
  struct Case {
    const char* what;
    double batch_us, row_us;
    std::vector<int64_t> tasks;  // rows of each
    std::vector<std::string> passed_on;
  };
  for (const Case& c : std::vector<Case>{
           {"light", 2, 0.2, {1, 1, 1}, {}},
           {"one large request of a light model", 2, 0.2, {1, 4096, 1}, {"m 4096"}},
           {"heavy even alone", 0, 200, {1, 1}, {"m 1", "m 1"}},
           {"light alone, heavy together", 0, 60, {1, 1, 1}, {"m 1", "m 1", "m 1"}},
           {"many cheap calls stay", 2, 0.2, std::vector<int64_t>(100, 32), {}},
           {"unknown", 0, 0, {1}, {"m 1"}},
       }) {
    SCOPED_TRACE(c.what);
    FakeClock clock;
    KeepingSink heavy;
    BatchTarget target = DoublingTarget("m", c.batch_us, c.row_us);
    if (c.batch_us + c.row_us == 0) target.cost = std::make_shared<CostModel>();
    DrainBatcher batcher({}, &clock, {}, &heavy);
    std::deque<TaskProbe> probes;
    for (const int64_t rows : c.tasks) batcher.Add(target, probes.emplace_back().NewTask(rows));
    batcher.Drain();
    EXPECT_EQ(heavy.passed_on, c.passed_on);
    for (const TaskProbe& probe : probes) EXPECT_EQ(probe.ends, 1);
  }
}

}  // namespace
}  // namespace sigserve
