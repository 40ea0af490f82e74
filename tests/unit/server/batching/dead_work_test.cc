// No row is computed for a request that was late, or whose caller had gone, when its batch closed.
// Every row has a number of its own, and the model asks of each whether its request still lives.
// Time passes and callers go while batches run, and only then.
#include <algorithm>
#include <deque>
#include <functional>
#include <random>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/batching/compute_pool.h"
#include "server/batching/drain_batcher.h"
#include "tests/support/fake_batches.h"

namespace sigserve {
namespace {

using testing_support::DoubledRows;
using testing_support::DoublingTarget;
using testing_support::TaskProbe;

/// A request whose rows all hold its index.
struct Request {
  TaskProbe probe;
  std::atomic<bool> gone{false};
  MonotonicTime deadline = MonotonicTime::InfiniteFuture();
  std::atomic<int64_t> rows_run{0};
};

class DeadWorkTest : public testing::Test {
 protected:
  Task NewTask(int64_t rows) {
    const auto index = static_cast<float>(requests_.size());
    Request& request = requests_.emplace_back();
    Task task = request.probe.NewTask(rows, 0, clock_.Monotonic());
    request.probe.input =
        Tensor::Of<float>({rows, 1}, std::vector<float>(static_cast<size_t>(rows), index));
    task.inputs = {request.probe.input.view()};
    task.cancelled = [&request] { return request.gone.load(); };
    return task;
  }

  /// Counts the rows, and those of dead requests; then `meanwhile` happens.
  RunBatch Counting(const std::function<void()>& meanwhile) {
    return [this, meanwhile](absl::Span<const TensorView> inputs)
               -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
      const auto values = inputs[0].values<float>();
      bool fails = false;  // every 40th request, in company
      for (const float value : values) {
        Request& request = requests_[static_cast<size_t>(value)];
        ++request.rows_run;
        ++rows_run_;
        if (request.gone || clock_.Monotonic() >= request.deadline) ++dead_rows_;
        fails |= static_cast<size_t>(value) % 40 == 39 && values.front() != values.back();
      }
      meanwhile();
      if (fails) return absl::InternalError("run them one by one");
      return std::make_unique<DoubledRows>(inputs[0]);
    };
  }

  int64_t Ended(absl::StatusCode code) const {
    return std::count_if(requests_.begin(), requests_.end(), [code](const Request& request) {
      return request.probe.ends == 1 && request.probe.status.code() == code;
    });
  }

  FakeClock clock_;
  std::deque<Request> requests_;
  std::atomic<int64_t> rows_run_{0};
  std::atomic<int64_t> dead_rows_{0};
};

TEST_F(DeadWorkTest, OnAnIoThread) {
  std::mt19937 random(20240607);
  size_t turn_began = 0;
  const auto meanwhile = [&] {
    clock_.Advance(absl::Microseconds(random() % 20));
    for (int i = 0; i < 2; ++i) {
      requests_[turn_began + random() % (requests_.size() - turn_began)].gone = true;
    }
  };
  std::deque<BatchTarget> models;
  for (const bool batchable : {true, true, false}) {
    BatchTarget& model = models.emplace_back(DoublingTarget("m", 1, 1));
    model.batchable = batchable;
    model.run = Counting(meanwhile);
  }
  DrainBatcher batcher({.max_rows = 8}, &clock_, {});
  for (int turn = 0; turn < 500; ++turn) {
    turn_began = requests_.size();
    for (int i = 0; i < 40; ++i) {
      Task task = NewTask(1 + static_cast<int64_t>(random() % 4));
      if (random() % 2 == 0) {
        task.deadline = clock_.Monotonic() + absl::Microseconds(random() % 200);
        requests_.back().deadline = task.deadline;
      }
      batcher.Add(models[random() % 3], std::move(task));
    }
    batcher.Drain();
  }
  EXPECT_EQ(dead_rows_, 0);
  const int64_t cancelled = Ended(absl::StatusCode::kCancelled);
  const int64_t late = Ended(absl::StatusCode::kDeadlineExceeded);
  EXPECT_GT(cancelled, 1000);
  EXPECT_GT(late, 1000);
  EXPECT_EQ(cancelled + late + Ended(absl::StatusCode::kOk), 500 * 40);
}

/// The only compute thread is held while requests come, go and get late.
TEST_F(DeadWorkTest, OnAComputeThread) {
  constexpr int kRequests = 3000;
  absl::Notification held;
  absl::Notification go_on;
  BatchTarget holding = DoublingTarget("holding", 1, 1);
  holding.run = [&](absl::Span<const TensorView> inputs)
      -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
    held.Notify();
    go_on.WaitForNotification();
    return std::make_unique<DoubledRows>(inputs[0]);
  };
  BatchTarget model = DoublingTarget("m", 100, 10);
  model.run = Counting([] {});
  TaskProbe holder;
  ComputePool pool({.workers = 1, .max_time = absl::Hours(1)}, &clock_, {}, {});
  pool.Add(holding, holder.NewTask(1));
  held.WaitForNotification();
  absl::BlockingCounter open(kRequests);
  int64_t alive_rows = 0;
  for (int i = 0; i < kRequests; ++i) {
    const int64_t rows = i % 100 == 0 ? 500 : 1 + i % 5;
    Task task = NewTask(rows);
    if (i % 3 == 1) {
      task.deadline = clock_.Monotonic() + absl::Minutes(10);
      requests_.back().deadline = task.deadline;
    }
    task.done = [&open, done = std::move(task.done)](const absl::Status& status,
                                                     const TaskOutputs* outputs,
                                                     const TaskTiming& timing) {
      done(status, outputs, timing);
      open.DecrementCount();
    };
    pool.Add(model, std::move(task));
    if (i % 3 == 2) alive_rows += rows;
  }
  for (size_t i = 0; i < kRequests; i += 3) requests_[i].gone = true;
  clock_.Advance(absl::Minutes(10));
  go_on.Notify();
  open.Wait();
  EXPECT_EQ(dead_rows_, 0);
  EXPECT_EQ(Ended(absl::StatusCode::kCancelled), kRequests / 3);
  EXPECT_EQ(Ended(absl::StatusCode::kDeadlineExceeded), kRequests / 3);
  EXPECT_EQ(Ended(absl::StatusCode::kOk), kRequests / 3);
  EXPECT_GE(rows_run_, alive_rows);  // failed batches ran twice
}

/// Its caller goes while the first of its parts runs: the others do not.
TEST_F(DeadWorkTest, TheRestOfALargeRequest) {
  BatchTarget model = DoublingTarget("m", 0, 1000);
  model.run = Counting([this] { requests_.front().gone = true; });
  absl::Notification ended;
  ComputePool pool({.workers = 1}, &clock_, {}, {});
  Task task = NewTask(100);
  task.done = [&ended, done = std::move(task.done)](const absl::Status& status,
                                                    const TaskOutputs* outputs,
                                                    const TaskTiming& timing) {
    done(status, outputs, timing);
    ended.Notify();
  };
  pool.Add(model, std::move(task));
  ended.WaitForNotification();
  EXPECT_EQ(dead_rows_, 0);
  EXPECT_EQ(rows_run_, 1);  // a part is a millisecond: one row
  EXPECT_EQ(Ended(absl::StatusCode::kCancelled), 1);
}

}  // namespace
}  // namespace sigserve
