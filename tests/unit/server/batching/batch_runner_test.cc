#include "server/batching/batch_runner.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/batching/split_task.h"
#include "tests/support/fake_batches.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;
using testing_support::TaskProbe;

class BatchRunnerTest : public testing::Test {
 protected:
  BatchRunnerTest() {
    target_.run = [this](absl::Span<const TensorView> inputs)
        -> absl::StatusOr<std::unique_ptr<const TaskOutputs>> {
      for (const TensorView& input : inputs) {
        EXPECT_EQ(reinterpret_cast<uintptr_t>(input.data()) % sizeof(float), 0U);
      }
      seen_ = inputs[0].data();
      return std::make_unique<testing_support::DoubledRows>(inputs[0]);
    };
  }

  /// The probe's task, its input moved to an odd address.
  Task Misaligned(TaskProbe* probe, int64_t rows, float first) {
    Task task = probe->NewTask(rows, first);
    std::vector<char>& bytes = memory_.emplace_back(rows * sizeof(float) + 1);
    std::memcpy(bytes.data() + 1, task.inputs[0].data(), rows * sizeof(float));
    task.inputs[0].set_data(bytes.data() + 1);
    return task;
  }
  void Run(std::vector<Task> tasks) {
    runner_.Run(target_, absl::MakeSpan(tasks), DispatchReason::kDrained, [] {});
  }

  RealClock clock_;
  BatchRunner runner_{&clock_, &clock_, BatchObserver()};
  BatchTarget target_ = testing_support::DoublingTarget("m", 1, 1);
  std::vector<std::vector<char>> memory_;
  const void* seen_ = nullptr;
};

TEST_F(BatchRunnerTest, ATaskAloneIsNotCopied) {
  TaskProbe probe;
  std::vector<Task> tasks;
  tasks.push_back(probe.NewTask(2, 5));
  const void* const data = tasks[0].inputs[0].data();
  Run(std::move(tasks));
  EXPECT_THAT(probe.values, ElementsAre(10, 12));
  EXPECT_EQ(seen_, data);
}

TEST_F(BatchRunnerTest, MisalignedInputsAreRunFromAlignedMemory) {
  TaskProbe alone, first, second;
  std::vector<Task> one;
  one.push_back(Misaligned(&alone, 3, 1));
  Run(std::move(one));
  EXPECT_THAT(alone.values, ElementsAre(2, 4, 6));
  std::vector<Task> two;
  two.push_back(Misaligned(&first, 1, 7));
  two.push_back(Misaligned(&second, 2, 8));
  Run(std::move(two));
  EXPECT_THAT(first.values, ElementsAre(14));
  EXPECT_THAT(second.values, ElementsAre(16, 18));
}

TEST_F(BatchRunnerTest, PartsOfAMisalignedTask) {
  TaskProbe probe;
  const auto split = SplitTask::Create(Misaligned(&probe, 3, 1), 1);
  for (const auto& [at, rows] : {std::pair{1, 2}, std::pair{0, 1}}) {
    std::vector<Task> part;
    part.push_back(split->Part(at, rows));
    Run(std::move(part));
  }
  EXPECT_THAT(probe.values, ElementsAre(2, 4, 6));
}

TEST_F(BatchRunnerTest, ALargeInputsMemoryIsNotKept) {
  constexpr int64_t kMany = int64_t{2} << 20;
  TaskProbe large, small;
  std::vector<Task> one;
  one.push_back(Misaligned(&large, kMany, 0));
  Run(std::move(one));
  EXPECT_EQ(large.values.size(), static_cast<size_t>(kMany));
  const void* const before = seen_;
  std::vector<Task> two;
  two.push_back(Misaligned(&small, 1, 1));
  Run(std::move(two));
  EXPECT_THAT(small.values, ElementsAre(2));
  EXPECT_NE(seen_, before);
}

}  // namespace
}  // namespace sigserve
