#include "model/runtime/memory_plan.h"

#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

using testing::ElementsAre;

TEST(PlanMemory, ValuesThatNeverMeetShare) {
  // a: steps 0-1, b: 1-2, c: 2-3: c takes a's place.
  const MemoryPlan plan = PlanMemory({{0, 1, 100}, {1, 2, 64}, {2, 3, 128}});
  EXPECT_THAT(plan.offsets, ElementsAre(0, 128, 0));
  EXPECT_EQ(plan.total_bytes, 192);
}

TEST(PlanMemory, EmptyValuesTakeNothing) {
  const MemoryPlan plan = PlanMemory({{0, 5, 0}, {0, 5, 1}});
  EXPECT_THAT(plan.offsets, ElementsAre(0, 0));
  EXPECT_EQ(plan.total_bytes, 64);
}

TEST(PlanMemory, NothingNeedsNothing) { EXPECT_EQ(PlanMemory({}).total_bytes, 0); }

TEST(PlanMemory, TheLastFreeBlockGrows) {
  const MemoryPlan plan = PlanMemory({{0, 0, 64}, {1, 1, 640}});
  EXPECT_THAT(plan.offsets, ElementsAre(0, 0));
  EXPECT_EQ(plan.total_bytes, 640);
}

TEST(PlanMemory, NoTwoLivingValuesOverlap) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Lifetime> values(random() % 40);
    int64_t sum = 0;
    for (Lifetime& value : values) {
      value.first = static_cast<int>(random() % 20);
      value.last = value.first + static_cast<int>(random() % 6);
      value.bytes = static_cast<int64_t>(random() % 1000);
      sum += (value.bytes + 63) / 64 * 64;
    }
    const MemoryPlan plan = PlanMemory(values);
    EXPECT_LE(plan.total_bytes, sum);
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i].bytes == 0) continue;
      EXPECT_EQ(plan.offsets[i] % 64, 0);
      EXPECT_LE(plan.offsets[i] + values[i].bytes, plan.total_bytes);
      for (size_t j = 0; j < i; ++j) {
        const bool meet = values[i].first <= values[j].last && values[j].first <= values[i].last;
        const bool overlap = plan.offsets[i] < plan.offsets[j] + values[j].bytes &&
                             plan.offsets[j] < plan.offsets[i] + values[i].bytes;
        EXPECT_FALSE(meet && overlap && values[j].bytes > 0) << "round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace sigserve
