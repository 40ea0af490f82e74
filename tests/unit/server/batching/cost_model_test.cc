#include "server/batching/cost_model.h"

#include <random>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

double Us(const CostModel& model, int64_t rows) {
  return absl::ToDoubleMicroseconds(model.curve().Of(rows));
}

auto About(double value, double tolerance = 0.1) {
  return AllOf(Ge(value * (1 - tolerance)), Le(value * (1 + tolerance)));
}

void Measure(CostModel* model, std::initializer_list<int64_t> sizes, double batch_us, double row_us,
             int times) {
  for (int i = 0; i < times; ++i) {
    for (const int64_t rows : sizes) {
      model->Observe(rows, absl::Microseconds(batch_us + row_us * static_cast<double>(rows)));
    }
  }
}

TEST(CostModelTest, NothingIsKnownAtFirst) {
  CostModel model;
  EXPECT_FALSE(model.curve().known());
  model.Observe(0, absl::Seconds(1));
  EXPECT_FALSE(model.curve().known());
}

TEST(CostModelTest, LearnsTheLineFromTwoSizes) {
  CostModel model;
  Measure(&model, {1, 64}, 20, 0.5, 5);
  EXPECT_THAT(Us(model, 1), About(20.5));
  EXPECT_THAT(Us(model, 16), About(28));
  EXPECT_THAT(Us(model, 1000), About(520));
}

TEST(CostModelTest, OneSizeIsExactThereAndGrowsBeyond) {
  CostModel model;
  Measure(&model, {8}, 0, 10, 3);
  EXPECT_THAT(Us(model, 8), About(80));
  EXPECT_THAT(Us(model, 80), AllOf(Ge(200), Le(800)));
}

TEST(CostModelTest, RowsWithinATime) {
  CostModel model;
  Measure(&model, {1, 64, 1024}, 20, 0.5, 5);
  const CostCurve curve = model.curve();
  EXPECT_THAT(curve.RowsWithin(absl::Microseconds(120)), AllOf(Ge(190), Le(210)));
  EXPECT_EQ(curve.RowsWithin(absl::Microseconds(10)), 0);
  EXPECT_GT(curve.RowsWithin(absl::InfiniteDuration()), int64_t{1} << 40);
  EXPECT_EQ(curve.RowsWithin(-absl::InfiniteDuration()), 0);
}

TEST(CostModelTest, AColdFirstBatchDoesNotLast) {
  CostModel model;
  model.Observe(1, absl::Milliseconds(50));
  Measure(&model, {1}, 2, 0.2, 3);
  EXPECT_THAT(Us(model, 1), About(2.2));
}

TEST(CostModelTest, OutliersMoveItLittle) {
  CostModel model;
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const int64_t rows = 1 + static_cast<int64_t>(random() % 100);
    double us = 5 + 0.3 * static_cast<double>(rows);
    if (random() % 100 == 0) us += 10'000;  // the thread lost its processor
    model.Observe(rows, absl::Microseconds(us));
  }
  EXPECT_THAT(Us(model, 1), About(5.3, 0.35));
  EXPECT_THAT(Us(model, 100), About(35, 0.35));
}

TEST(CostModelTest, ALastingChangeIsFollowed) {
  CostModel model;
  Measure(&model, {1, 32}, 10, 1, 100);
  Measure(&model, {1, 32}, 30, 3, 100);
  EXPECT_THAT(Us(model, 1), About(33));
  EXPECT_THAT(Us(model, 32), About(126));
}

TEST(CostModelTest, SizesNotSeenForLongGiveWay) {
  CostModel model;
  Measure(&model, {1, 512}, 10, 10, 20);  // large batches were slow once
  Measure(&model, {1, 256}, 10, 1, 5000);
  EXPECT_THAT(Us(model, 256), About(266, 0.15));
}

TEST(CostModelTest, EstimatesAreNeverNegative) {
  CostModel model;
  Measure(&model, {1}, 100, 0, 20);
  Measure(&model, {64}, 1, 0, 20);  // faster when larger: noise
  for (const int64_t rows : {1, 10, 64, 100'000}) EXPECT_GE(Us(model, rows), 0);
}

TEST(CostModelTest, AnyThreadMayObserve) {
  CostModel model;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&model] { Measure(&model, {1, 64}, 20, 0.5, 2000); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(Us(model, 64), About(52));
}

}  // namespace
}  // namespace sigserve
