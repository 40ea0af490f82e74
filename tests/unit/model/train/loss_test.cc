#include "model/train/loss.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/npy.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::ReadNpy;

std::vector<float> Golden(const std::string& name) {
  const auto tensor = ReadNpy(SIGSERVE_SOURCE_DIR "/tests/golden/losses/" + name + ".npy");
  EXPECT_OK(tensor);
  if (!tensor.ok()) {
    return {};
  }
  return {tensor->values<float>().begin(), tensor->values<float>().end()};
}

struct LossAndGradient {
  double loss;
  float gradient;
};

LossAndGradient One(float logit, float label) {
  float gradient = 99;
  const double loss = BceWithLogits({&logit, 1}, {&label, 1}, {}, 1, absl::MakeSpan(&gradient, 1));
  return {loss, gradient};
}

float Tolerance(float expected) { return 1e-6f * std::max(1.0f, std::abs(expected)); }

TEST(BceWithLogits, IsWhatPyTorchSaysAtTheEdges) {
  const std::vector<float> logits = Golden("logits");
  const std::vector<float> labels = Golden("labels");
  const std::vector<float> losses = Golden("loss");
  ASSERT_EQ(losses.size(), 12u);
  for (size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(One(logits[i], labels[i]).loss, losses[i], Tolerance(losses[i]))
        << "logit " << logits[i] << ", label " << labels[i];
  }
  EXPECT_NEAR(BceWithLogits(logits, labels, {}, 1, {}) / 12, Golden("mean").at(0), 1e-5);
}

TEST(BceWithLogits, WeighsPositivesAsPyTorchDoes) {
  const std::vector<float> logits = Golden("logits");
  const std::vector<float> labels = Golden("labels");
  const std::vector<float> losses = Golden("loss_weight_3");
  const std::vector<float> gradients = Golden("mean_gradient_weight_3");
  ASSERT_EQ(losses.size(), 12u);
  const float weight = 3;
  double sum = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    const double loss = BceWithLogits({&logits[i], 1}, {&labels[i], 1}, {&weight, 1}, 1, {});
    EXPECT_NEAR(loss, losses[i], Tolerance(losses[i])) << "logit " << logits[i];
    sum += loss;
  }
  std::vector<float> gradient(12);
  EXPECT_NEAR(BceWithLogits(logits, labels, {&weight, 1}, 1.0f / 12, absl::MakeSpan(gradient)), sum,
              1e-9);
  for (size_t i = 0; i < gradients.size(); ++i) {
    EXPECT_NEAR(gradient[i], gradients[i], 1e-7) << "logit " << logits[i];
  }
}

TEST(BceWithLogits, WeightsGoByColumn) {
  const std::vector<float> logits = {0, 0, 0, 0};
  const std::vector<float> labels = {1, 1, 1, 0};
  const std::vector<float> weights = {2, 10};
  // ln 2 each, times 2, 10, 2, and 1 for the negative.
  EXPECT_NEAR(BceWithLogits(logits, labels, weights, 1, {}), 15 * std::log(2.0), 1e-5);
}

TEST(BceWithLogits, LargeLogitsOverflowNothing) {
  struct Case {
    float logit, label;
    double loss;
    float gradient;
  };
  const float max = std::numeric_limits<float>::max();
  for (const Case& c : {Case{-1000, 1, 1000, -1}, Case{1000, 0, 1000, 1}, Case{1000, 1, 0, 0},
                        Case{-1000, 0, 0, 0}, Case{max, 0, max, 1}, Case{-max, 1, max, -1}}) {
    const LossAndGradient got = One(c.logit, c.label);
    EXPECT_EQ(got.loss, c.loss) << c.logit;
    EXPECT_EQ(got.gradient, c.gradient) << c.logit;
  }
}

TEST(BceWithLogits, SmallGradientsKeepTheirDigits) {
  EXPECT_NEAR(One(40, 1).gradient / -std::exp(-40.0), 1, 1e-6);
  EXPECT_NEAR(One(-40, 0).gradient / std::exp(-40.0), 1, 1e-6);
}

TEST(BceWithLogits, NanGivesNan) { EXPECT_TRUE(std::isnan(One(std::nanf(""), 1).loss)); }

}  // namespace
}  // namespace sigserve
