#include "server/batching/drain_batcher.h"

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/tensor/tensor.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Holds y = 2x, and counts how many of its kind are alive.
class Doubled final : public TaskOutputs {
 public:
  Doubled(const TensorView& x, bool keeps_rows, int* alive) : alive_(alive) {
    ++*alive_;
    std::vector<float> y;
    for (const float value : x.values<float>()) y.push_back(2 * value);
    tensor_ = Tensor::Of<float>(keeps_rows ? x.shape() : Shape{x.elements()}, y);
  }
  ~Doubled() override { --*alive_; }
  Doubled(const Doubled&) = delete;
  Doubled& operator=(const Doubled&) = delete;
  TensorView output(int /*i*/) const override { return tensor_.view(); }
  TensorView logits(int /*i*/) const override { return {}; }

 private:
  int* alive_;
  Tensor tensor_;
};

/// What became of a task.
struct Ended {
  int calls = 0;
  absl::Status status = absl::UnknownError("done was not called");
  std::vector<float> values;
  TaskTiming timing;
  int alive_in_done = 0;
};

class DrainBatcherTest : public testing::Test {
 protected:
  DrainBatcherTest() { target_ = NewTarget("m"); }

  BatchTarget NewTarget(const std::string& model) {
    BatchTarget target;
    target.model = model;
    target.batchable = true;
    target.run = [this, model](absl::Span<const TensorView> inputs)
        -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
      runs_.push_back(absl::StrCat(model, inputs[0].shape().ToString()));
      clock_.Advance(absl::Microseconds(30));
      for (const float value : inputs[0].values<float>()) {
        if (value < 0) return absl::InvalidArgumentError("a negative value");
      }
      return std::make_unique<Doubled>(inputs[0], keeps_rows_, &alive_);
    };
    return target;
  }

  /// A task whose rows have these values in each column.
  Task NewTask(std::vector<float> rows, int columns = 2, Ended* ended = nullptr) {
    if (ended == nullptr) {
      ended = ended_.emplace_back(std::make_unique<Ended>()).get();
    }
    std::vector<float> x;
    for (const float row : rows) x.insert(x.end(), static_cast<size_t>(columns), row);
    const auto count = static_cast<int64_t>(rows.size());
    inputs_.push_back(std::make_unique<Tensor>(Tensor::Of<float>(Shape{count, columns}, x)));
    Task task;
    task.inputs = {inputs_.back()->view()};
    task.rows = count;
    task.arrival = clock_.Monotonic();
    task.done = [this, ended](const absl::Status& status, const TaskOutputs* outputs,
                              const TaskTiming& timing) {
      ++ended->calls;
      ended->status = status;
      ended->timing = timing;
      ended->alive_in_done = alive_;
      if (outputs != nullptr) {
        const auto values = outputs->output(0).values<float>();
        ended->values.assign(values.begin(), values.end());
      }
    };
    return task;
  }

  FakeClock clock_;
  std::vector<std::string> runs_;     // model and shape
  std::vector<std::string> reasons_;  // of each batch
  bool keeps_rows_ = true;
  int alive_ = 0;
  std::vector<std::unique_ptr<Ended>> ended_;
  std::vector<std::unique_ptr<Tensor>> inputs_;
  BatchTarget target_;
  DrainBatcher batcher_{{.max_rows = 8, .max_bytes = 1024},
                        &clock_,
                        [this](const BatchTarget& target, DispatchReason reason) {
                          reasons_.push_back(absl::StrCat(target.model, " ", Name(reason)));
                        }};
};

TEST_F(DrainBatcherTest, RunsATurnAsOneBatchAndCutsTheResultsByRows) {
  batcher_.Add(target_, NewTask({1}));
  batcher_.Add(target_, NewTask({2, 3}));
  clock_.Advance(absl::Microseconds(5));
  batcher_.Add(target_, NewTask({4}));
  EXPECT_THAT(runs_, IsEmpty());
  batcher_.Drain();
  EXPECT_THAT(runs_, ElementsAre("m[4,2]"));
  EXPECT_THAT(reasons_, ElementsAre("m drained"));
  EXPECT_THAT(ended_[0]->values, ElementsAre(2, 2));
  EXPECT_THAT(ended_[1]->values, ElementsAre(4, 4, 6, 6));
  EXPECT_THAT(ended_[2]->values, ElementsAre(8, 8));
  for (const auto& ended : ended_) {
    EXPECT_OK(ended->status);
    EXPECT_EQ(ended->calls, 1);
    EXPECT_EQ(ended->timing.batch_rows, 4);
    EXPECT_EQ(ended->timing.computed, absl::Microseconds(30));
    EXPECT_EQ(ended->alive_in_done, 1);
  }
  EXPECT_EQ(ended_[0]->timing.queued, absl::Microseconds(5));
  EXPECT_EQ(ended_[2]->timing.queued, absl::ZeroDuration());
  EXPECT_EQ(alive_, 0);
}

TEST_F(DrainBatcherTest, AnEmptyTurnRunsNothingAndTurnsDoNotMix) {
  batcher_.Drain();
  batcher_.Add(target_, NewTask({1}));
  batcher_.Drain();
  batcher_.Drain();
  batcher_.Add(target_, NewTask({2}));
  batcher_.Drain();
  EXPECT_THAT(runs_, ElementsAre("m[1,2]", "m[1,2]"));
  EXPECT_THAT(ended_[1]->values, ElementsAre(4, 4));
}

TEST_F(DrainBatcherTest, EachModelHasItsOwnBatch) {
  const BatchTarget other = NewTarget("other");
  batcher_.Add(target_, NewTask({1}));
  batcher_.Add(other, NewTask({2}));
  batcher_.Add(target_, NewTask({3}));
  batcher_.Drain();
  EXPECT_THAT(runs_, ElementsAre("m[2,2]", "other[1,2]"));
  EXPECT_THAT(ended_[2]->values, ElementsAre(6, 6));
}

TEST_F(DrainBatcherTest, WhatCannotBeStackedIsNot) {
  target_.batchable = false;
  batcher_.Add(target_, NewTask({1}));
  batcher_.Add(target_, NewTask({2}));
  batcher_.Drain();
  EXPECT_THAT(runs_, ElementsAre("m[1,2]", "m[1,2]"));
  runs_.clear();
  target_.batchable = true;
  batcher_.Add(target_, NewTask({1}, 2));
  batcher_.Add(target_, NewTask({2}, 3));
  batcher_.Add(target_, NewTask({3}, 3));
  batcher_.Drain();
  EXPECT_THAT(runs_, ElementsAre("m[1,2]", "m[2,3]"));
  EXPECT_THAT(ended_[4]->values, ElementsAre(6, 6, 6));
}

TEST_F(DrainBatcherTest, ABatchHasNoMoreRowsAndBytesThanItMay) {
  for (const int rows : {5, 3, 1, 20, 1}) {
    batcher_.Add(target_, NewTask(std::vector<float>(static_cast<size_t>(rows), 1)));
  }
  batcher_.Drain();
  EXPECT_THAT(runs_, ElementsAre("m[8,2]", "m[1,2]", "m[20,2]", "m[1,2]"));
  EXPECT_THAT(reasons_, ElementsAre("m full", "m full", "m full", "m drained"));
  runs_.clear();
  batcher_.Add(target_, NewTask({1}, 200));
  batcher_.Add(target_, NewTask({1}, 200));
  batcher_.Drain();
  EXPECT_THAT(runs_, ElementsAre("m[1,200]", "m[1,200]"));
}

TEST_F(DrainBatcherTest, TheTargetMayGoWithItsLastTask) {
  auto target = std::make_unique<BatchTarget>(NewTarget("gone"));
  Task task = NewTask({1});
  int calls = 0;
  task.done = [&](const absl::Status& status, const TaskOutputs* /*outputs*/,
                  const TaskTiming& /*timing*/) {
    EXPECT_OK(status);
    ++calls;
    target.reset();
  };
  batcher_.Add(*target, NewTask({2}));
  batcher_.Add(*target, std::move(task));
  batcher_.Drain();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(alive_, 0);
}

/// Random sizes, models, deadlines and cancels, each row with a number of its own.
TEST_F(DrainBatcherTest, EveryTaskGetsItsOwnAnswerOnce) {
  std::mt19937 random(20240607);
  const BatchTarget other = NewTarget("other");
  float next = 1;
  int ran = 0;
  for (int turn = 0; turn < 300; ++turn) {
    const size_t first = ended_.size();
    std::vector<std::vector<float>> expected;
    const int tasks = static_cast<int>(random() % 12);
    for (int t = 0; t < tasks; ++t) {
      std::vector<float> rows;
      for (size_t r = 1 + random() % 5; r > 0; --r) rows.push_back(next++);
      const int columns = 1 + static_cast<int>(random() % 2);
      Task task = NewTask(rows, columns);
      std::vector<float> values;
      for (const float row : rows)
        values.insert(values.end(), static_cast<size_t>(columns), 2 * row);
      if (random() % 10 == 0) {
        task.cancelled = [] { return true; };
        values.clear();
      } else if (random() % 10 == 0) {
        task.deadline = clock_.Monotonic();
        values.clear();
      }
      expected.push_back(values);
      batcher_.Add(random() % 3 == 0 ? other : target_, std::move(task));
    }
    batcher_.Drain();
    for (size_t t = 0; t < expected.size(); ++t) {
      const Ended& ended = *ended_[first + t];
      ASSERT_EQ(ended.calls, 1);
      ASSERT_EQ(ended.values, expected[t]);
      ASSERT_EQ(ended.status.ok(), !expected[t].empty());
      ran += ended.status.ok() ? 1 : 0;
    }
  }
  EXPECT_GT(ran, 1000);
  EXPECT_EQ(alive_, 0);
}

// Failures.

TEST_F(DrainBatcherTest, OneBadTaskHarmsNoOther) {
  batcher_.Add(target_, NewTask({1}));
  batcher_.Add(target_, NewTask({-1}));
  batcher_.Add(target_, NewTask({3}));
  batcher_.Drain();
  EXPECT_OK(ended_[0]->status);
  EXPECT_THAT(ended_[1]->status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("negative")));
  EXPECT_THAT(ended_[2]->values, ElementsAre(6, 6));
  EXPECT_THAT(reasons_, ElementsAre("m drained", "m retry", "m retry", "m retry"));
  for (const auto& ended : ended_) EXPECT_EQ(ended->calls, 1);
}

TEST_F(DrainBatcherTest, ResultsWithoutRowsAreNeverShared) {
  keeps_rows_ = false;
  batcher_.Add(target_, NewTask({1}));
  batcher_.Add(target_, NewTask({2}));
  batcher_.Drain();
  EXPECT_THAT(ended_[0]->values, ElementsAre(2, 2));
  EXPECT_THAT(ended_[1]->values, ElementsAre(4, 4));
}

TEST_F(DrainBatcherTest, ALateTaskIsNotRun) {
  Task task = NewTask({1});
  task.deadline = clock_.Monotonic() + absl::Microseconds(1);
  batcher_.Add(target_, std::move(task));
  batcher_.Add(target_, NewTask({2}));
  clock_.Advance(absl::Microseconds(3));
  batcher_.Drain();
  EXPECT_THAT(ended_[0]->status, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("2us")));
  EXPECT_THAT(runs_, ElementsAre("m[1,2]"));
  EXPECT_THAT(ended_[1]->values, ElementsAre(4, 4));
}

TEST_F(DrainBatcherTest, ATaskWhoseCallerHasGoneIsNotRun) {
  Task task = NewTask({1});
  task.cancelled = [] { return true; };
  batcher_.Add(target_, std::move(task));
  batcher_.Drain();
  EXPECT_THAT(ended_[0]->status, StatusIs(absl::StatusCode::kCancelled, HasSubstr("not run")));
  EXPECT_THAT(runs_, IsEmpty());
}

}  // namespace
}  // namespace sigserve
