#include "server/codec/log_probability.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace sigserve {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(LogSigmoidTest, IsFiniteWherePUnderflowsOrRoundsToOne) {
  const std::vector<std::pair<float, float>> cases = {
      {0.0F, -0.69314718F}, {1.0F, -0.31326169F},     {-1.0F, -1.3132617F}, {-200.0F, -200.0F},
      {-1e30F, -1e30F},     {20.0F, -2.0611537e-09F}, {kInf, 0.0F},         {-kInf, -kInf}};
  for (const auto& [x, expected] : cases) {
    float out = 1;
    LogSigmoid({&x, 1}, {&out, 1});
    if (std::isinf(expected)) {
      EXPECT_EQ(out, expected) << x;
    } else {
      EXPECT_NEAR(out, expected, std::abs(expected) * 1e-6) << x;
    }
  }
}

TEST(LogSigmoidTest, NanStaysNan) {
  const float x = std::numeric_limits<float>::quiet_NaN();
  float out = 0;
  LogSigmoid({&x, 1}, {&out, 1});
  EXPECT_TRUE(std::isnan(out));
}

TEST(LogSoftmaxTest, EachRowAloneAndWithoutOverflow) {
  const std::vector<float> logits = {1, 2, 3, 1000, 0, -1000};
  std::vector<float> out(6);
  LogSoftmax(logits, 3, absl::MakeSpan(out));
  const std::vector<float> expected = {-2.4076059F, -1.4076059F, -0.40760595F, 0, -1000, -2000};
  for (size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], expected[i], 1e-5) << i;
}

TEST(LogSoftmaxTest, NoColumnsIsNoWork) { LogSoftmax({}, 0, {}); }

}  // namespace
}  // namespace sigserve
