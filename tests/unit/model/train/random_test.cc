#include "model/train/random.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;

// The first outputs of pcg32-demo (pcg-c-basic) for its seed 42, stream 54.
TEST(Random, IsPcg32) {
  Random random(42, 54);
  std::vector<uint32_t> drawn(6);
  std::generate(drawn.begin(), drawn.end(), [&] { return random.Next(); });
  EXPECT_THAT(drawn,
              ElementsAre(0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e));
}

TEST(Random, BelowReachesEveryNumberAndNoOther) {
  Random random(1, 1);
  std::vector<int> seen(7);
  for (int i = 0; i < 7000; ++i) {
    const uint32_t drawn = random.Below(7);
    ASSERT_LT(drawn, 7u);
    ++seen[drawn];
  }
  for (const int count : seen) {
    EXPECT_NEAR(count, 1000, 150);
  }
  EXPECT_EQ(random.Below(1), 0u);
}

TEST(Random, UniformFillsItsRange) {
  Random random(1, 1);
  double sum = 0;
  float low = 1;
  float high = -1;
  for (int i = 0; i < 10000; ++i) {
    const float drawn = random.Uniform(-0.5f, 0.25f);
    low = std::min(low, drawn);
    high = std::max(high, drawn);
    sum += drawn;
  }
  EXPECT_GE(low, -0.5f);
  EXPECT_LT(low, -0.49f);
  EXPECT_LE(high, 0.25f);
  EXPECT_GT(high, 0.24f);
  EXPECT_NEAR(sum / 10000, -0.125, 0.01);
}

TEST(Random, ShuffleKeepsTheItemsAndMovesThem) {
  std::vector<uint32_t> items(100);
  std::iota(items.begin(), items.end(), 0u);
  const std::vector<uint32_t> before = items;
  Random(3, 1).Shuffle(absl::MakeSpan(items));
  EXPECT_NE(items, before);
  EXPECT_TRUE(std::is_permutation(items.begin(), items.end(), before.begin()));
}

TEST(Random, SeedsAndStreamsDiffer) {
  EXPECT_NE(Random(1, 1).Next(), Random(2, 1).Next());
  EXPECT_NE(Random(1, 1).Next(), Random(1, 2).Next());
  EXPECT_EQ(Random(1, 1).Next(), Random(1, 1).Next());
}

}  // namespace
}  // namespace sigserve
