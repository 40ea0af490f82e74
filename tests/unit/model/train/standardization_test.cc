#include "model/train/standardization.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sigserve {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(Standardization, IsMeanAndPopulationDeviation) {
  const auto learned = LearnStandardization(Tensor::Of<float>({4, 2}, {1, 10,  //
                                                                       2, 10,  //
                                                                       3, 30,  //
                                                                       4, 30}));
  EXPECT_THAT(learned.mean, ElementsAre(2.5f, 20));
  EXPECT_THAT(learned.stddev, ElementsAre(FloatEq(std::sqrt(1.25f)), 10));
}

TEST(Standardization, ConstantFeaturesKeepTheirScale) {
  const auto learned = LearnStandardization(Tensor::Of<float>({3, 3}, {0.1f, 0, 1e30f,  //
                                                                       0.1f, 0, 1e30f,  //
                                                                       0.1f, 0, 1e30f}));
  EXPECT_THAT(learned.mean, ElementsAre(0.1f, 0, 1e30f));
  EXPECT_THAT(learned.stddev, ElementsAre(1, 1, 1));
}

TEST(Standardization, DeviationsThatVanishInFloatKeepTheirScale) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const auto learned = LearnStandardization(Tensor::Of<float>({4, 1}, {0, 0, 0, tiny}));
  EXPECT_THAT(learned.stddev, ElementsAre(1));
}

TEST(Standardization, LargeOffsetsLoseNothing) {
  const auto learned =
      LearnStandardization(Tensor::Of<float>({4, 1}, {1e7f, 1e7f + 2, 1e7f + 4, 1e7f + 6}));
  EXPECT_THAT(learned.mean, ElementsAre(1e7f + 3));
  EXPECT_THAT(learned.stddev, ElementsAre(FloatEq(std::sqrt(5.0f))));
}

TEST(Standardization, Applies) {
  Tensor features = Tensor::Of<float>({2, 2}, {1, 2, 3, 4});
  Standardize({{1, 2}, {2, 4}}, features);
  EXPECT_THAT(features.values<float>(), ElementsAre(0, 0, 1, 0.5f));
}

}  // namespace
}  // namespace sigserve
