#include "server/batching/split_task.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_batches.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing_support::DoubledRows;
using testing_support::TaskProbe;

void RunPart(const Task& part, absl::Duration took = absl::Microseconds(1)) {
  const DoubledRows results(part.inputs[0]);
  TaskTiming timing;
  timing.queued = absl::Microseconds(part.rows);
  timing.computed = took;
  timing.batch_rows = part.rows;
  part.done(absl::OkStatus(), &results, timing);
}

TEST(SplitTaskTest, PartsInAnyOrderMakeTheWhole) {
  TaskProbe probe;
  auto split = SplitTask::Create(probe.NewTask(6), 1);
  const Task a = split->Part(0, 1);
  const Task b = split->Part(1, 3);
  const Task c = split->Part(4, 2);
  split.reset();
  RunPart(c);
  RunPart(a);
  EXPECT_EQ(probe.ends, 0);
  RunPart(b);
  EXPECT_EQ(probe.ends, 1);
  EXPECT_OK(probe.status);
  EXPECT_THAT(probe.values, ElementsAre(2, 4, 6, 8, 10, 12));
  EXPECT_EQ(probe.timing.queued, absl::Microseconds(1));
  EXPECT_EQ(probe.timing.computed, absl::Microseconds(3));
  EXPECT_EQ(probe.timing.batch_rows, 3);
}

TEST(SplitTaskTest, PartsMayEndAtTheSameTime) {
  TaskProbe probe;
  const auto split = SplitTask::Create(probe.NewTask(4000), 1);
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; ++t) {
    threads.emplace_back([part = split->Part(1000 * t, 1000)] { RunPart(part); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(probe.ends, 1);
  ASSERT_EQ(probe.values.size(), 4000U);
  for (int i = 0; i < 4000; ++i) {
    ASSERT_EQ(probe.values[static_cast<size_t>(i)], 2 * static_cast<float>(i + 1));
  }
}

TEST(SplitTaskTest, APartIsCancelledWithTheWhole) {
  TaskProbe probe;
  Task whole = probe.NewTask(2);
  bool gone = false;
  whole.cancelled = [&] { return gone; };
  const auto split = SplitTask::Create(std::move(whole), 1);
  const Task part = split->Part(0, 1);
  EXPECT_FALSE(part.cancelled());
  gone = true;
  EXPECT_TRUE(part.cancelled());
}

// Failures.

TEST(SplitTaskTest, TheFirstErrorIsTheWholesAndStopsTheRest) {
  TaskProbe probe;
  const auto split = SplitTask::Create(probe.NewTask(3), 1);
  const Task a = split->Part(0, 1);
  const Task b = split->Part(1, 1);
  a.done(absl::InvalidArgumentError("bad row"), nullptr, {});
  EXPECT_TRUE(split->failed());
  EXPECT_TRUE(b.cancelled());
  RunPart(b);
  EXPECT_EQ(probe.ends, 0);
  split->Drop(1, absl::CancelledError("dropped"));
  EXPECT_EQ(probe.ends, 1);
  EXPECT_THAT(probe.status, StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
}

TEST(SplitTaskTest, ResultsWithoutTheRightRowsAreAnError) {
  TaskProbe probe;
  const auto split = SplitTask::Create(probe.NewTask(3), 1);
  const Task a = split->Part(0, 2);
  const DoubledRows one_row(split->Part(0, 1).inputs[0]);
  a.done(absl::OkStatus(), &one_row, {});
  split->Drop(1, absl::OkStatus());
  EXPECT_THAT(probe.status, StatusIs(absl::StatusCode::kInternal, testing::_));
}

}  // namespace
}  // namespace sigserve
