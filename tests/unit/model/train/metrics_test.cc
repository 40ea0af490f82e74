#include "model/train/metrics.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace sigserve {
namespace {

struct AucCase {
  const char* what;
  std::vector<float> scores;
  std::vector<float> labels;
  std::optional<double> auc;
};

TEST(RocAuc, CountsPairs) {
  const std::vector<AucCase> cases = {
      {"perfect", {1, 2, 3, 4}, {0, 0, 1, 1}, 1.0},
      {"reversed", {4, 3, 2, 1}, {0, 0, 1, 1}, 0.0},
      {"scikit-learn's example", {0.1f, 0.4f, 0.35f, 0.8f}, {0, 0, 1, 1}, 0.75},
      {"all tied", {5, 5, 5, 5}, {0, 1, 0, 1}, 0.5},
      {"one tie of two pairs", {1, 2, 2}, {0, 1, 0}, 0.75},  // (2>1) + (2=2)/2, of 2
      {"negative zero ties with zero", {-0.0f, 0.0f}, {0, 1}, 0.5},
      {"no positives", {1, 2}, {0, 0}, std::nullopt},
      {"no negatives", {1, 2}, {1, 1}, std::nullopt},
      {"nothing", {}, {}, std::nullopt},
  };
  for (const AucCase& c : cases) {
    EXPECT_EQ(RocAuc(c.scores, c.labels), c.auc) << c.what;
  }
}

TEST(RocAuc, IsTheShareOfPairsWon) {
  std::vector<float> scores;
  std::vector<float> labels;
  for (int i = 0; i < 60; ++i) {
    scores.push_back(static_cast<float>(i * 37 % 11));
    labels.push_back(static_cast<float>(i * 7 % 3 == 0));
  }
  double won = 0;
  int pairs = 0;
  for (size_t i = 0; i < 60; ++i) {
    for (size_t j = 0; j < 60; ++j) {
      if (labels[i] == 1 && labels[j] == 0) {
        won += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
        ++pairs;
      }
    }
  }
  EXPECT_DOUBLE_EQ(RocAuc(scores, labels).value(), won / pairs);
}

TEST(MeanRocAuc, SkipsColumnsOfOneClass) {
  const std::vector<float> scores = {1, 1, 9,  //
                                     2, 2, 9,  //
                                     3, 0, 9};
  const std::vector<float> labels = {0, 0, 1,  //
                                     1, 1, 1,  //
                                     1, 0, 1};
  EXPECT_EQ(MeanRocAuc(scores, labels, 3), 1.0);
  EXPECT_EQ(MeanRocAuc({1, 2}, {1, 1}, 2), std::nullopt);
  EXPECT_EQ(MeanRocAuc({1, 1, 2, 2}, {0, 1, 1, 0}, 2), 0.5);  // 1 and 0
}

TEST(LogLoss, IsTheMeanOfMinusTheLog) {
  EXPECT_NEAR(LogLoss({0.5f, 0.75f}, {1, 0}), (std::log(2) + std::log(4)) / 2, 1e-12);
  EXPECT_NEAR(LogLoss({1}, {1}), 0, 1e-12);
}

TEST(LogLoss, ClipsCertainty) {
  EXPECT_NEAR(LogLoss({0}, {1}), -std::log(1e-15), 1e-9);
  EXPECT_NEAR(LogLoss({1}, {0}), -std::log(1e-15), 0.1);  // 1 - 1e-15 is coarse in double
}

TEST(Accuracy, IsTheShareOnTheRightSide) {
  EXPECT_EQ(Accuracy({-1, 1, 2, -3}, {0, 1, 0, 1}), 0.5);
  EXPECT_EQ(Accuracy({0}, {1}), 1);  // probability 0.5 counts as positive
  EXPECT_EQ(Accuracy({0}, {0}), 0);
}

}  // namespace
}  // namespace sigserve
