#include "server/batching/inline_lane.h"

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/tensor/tensor.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::HasSubstr;

class Outputs : public TaskOutputs {
 public:
  explicit Outputs(int* alive) : alive_(alive) { ++*alive_; }
  ~Outputs() override { --*alive_; }
  Outputs(const Outputs&) = delete;
  Outputs& operator=(const Outputs&) = delete;
  TensorView output(int /*i*/) const override { return tensor_.view(); }
  TensorView logits(int /*i*/) const override { return {}; }

 private:
  int* alive_;
  Tensor tensor_ = Tensor::Of<float>(Shape{1}, {0.5F});
};

class InlineLaneTest : public testing::Test {
 protected:
  // A task that notes how it ended.
  Task NewTask() {
    Task task;
    task.rows = 7;
    task.done = [this](const absl::Status& status, const TaskOutputs* outputs,
                       const TaskTiming& timing) {
      ++done_calls_;
      status_ = status;
      timing_ = timing;
      had_outputs_ = outputs != nullptr;
      lent_during_done_ = alive_;
    };
    return task;
  }

  FakeClock clock_;
  int runs_ = 0;
  int alive_ = 0;
  absl::Status result_;
  InlineLane lane_{[this](absl::Span<const TensorView> /*inputs*/)
                       -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
                     ++runs_;
                     clock_.Advance(absl::Microseconds(30));
                     if (!result_.ok()) return result_;
                     return std::make_unique<Outputs>(&alive_);
                   },
                   &clock_};

  int done_calls_ = 0;
  absl::Status status_ = absl::UnknownError("done was not called");
  TaskTiming timing_;
  bool had_outputs_ = false;
  int lent_during_done_ = 0;
};

TEST_F(InlineLaneTest, RunsTheTaskAndMeasuresIt) {
  lane_.Run(NewTask());
  EXPECT_OK(status_);
  EXPECT_EQ(done_calls_, 1);
  EXPECT_TRUE(had_outputs_);
  EXPECT_EQ(timing_.computed, absl::Microseconds(30));
  EXPECT_EQ(timing_.queued, absl::ZeroDuration());
  EXPECT_EQ(timing_.batch_rows, 7);
}

TEST_F(InlineLaneTest, TheResultsAreLentForTheTimeOfDone) {
  lane_.Run(NewTask());
  EXPECT_EQ(lent_during_done_, 1);
  EXPECT_EQ(alive_, 0);
}

TEST_F(InlineLaneTest, MayBeDestroyedWithinDone) {
  auto lane = std::make_unique<InlineLane>(
      [this](absl::Span<const TensorView> /*inputs*/)
          -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
        return std::make_unique<Outputs>(&alive_);
      },
      &clock_);
  Task task;
  task.done = [&](const absl::Status& status, const TaskOutputs* /*outputs*/,
                  const TaskTiming& /*timing*/) {
    status_ = status;
    lane.reset();
  };
  lane->Run(std::move(task));
  EXPECT_OK(status_);
  EXPECT_EQ(alive_, 0);
}

// Failures.

TEST_F(InlineLaneTest, PassesTheErrorOfTheRunOn) {
  result_ = absl::InvalidArgumentError("MatMul 'fc1': left has 30 columns, right has 64 rows");
  lane_.Run(NewTask());
  EXPECT_EQ(status_, result_);
  EXPECT_FALSE(had_outputs_);
  EXPECT_EQ(done_calls_, 1);
}

TEST_F(InlineLaneTest, ALateTaskIsNotRun) {
  Task task = NewTask();
  task.deadline = clock_.Monotonic() + absl::Microseconds(1);
  clock_.Advance(absl::Microseconds(3));
  lane_.Run(std::move(task));
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("2us")));
  EXPECT_EQ(runs_, 0);
  EXPECT_EQ(done_calls_, 1);
  EXPECT_FALSE(had_outputs_);
}

TEST_F(InlineLaneTest, ATaskWhoseCallerHasGoneIsNotRun) {
  Task task = NewTask();
  task.cancelled = [] { return true; };
  lane_.Run(std::move(task));
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kCancelled, HasSubstr("not run")));
  EXPECT_EQ(runs_, 0);
  EXPECT_EQ(done_calls_, 1);
}

}  // namespace
}  // namespace sigserve
