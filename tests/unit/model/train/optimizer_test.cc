// Expected values: torch.optim 1.13 on the same weights and gradients (float32, one thread),
// printed with nine digits.
#include "model/train/optimizer.h"

#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "model/tensor/tensor.h"

namespace sigserve {
namespace {

// Weights after each of three steps, from {1, -2, 0.5} with gradients g, g / 2, -g for
// g = {0.3, -0.1, 4}.
std::vector<std::vector<float>> ThreeSteps(const OptimizerSpec& spec) {
  Tensor weights = Tensor::Of<float>({3}, {1, -2, 0.5f});
  const std::vector<MutableTensorView> views = {weights.mutable_view()};
  const int64_t count = 3;
  const std::unique_ptr<Optimizer> optimizer = Optimizer::Create(spec, {&count, 1});
  std::vector<std::vector<float>> after;
  for (const float factor : {1.0f, 0.5f, -1.0f}) {
    const Tensor gradient = Tensor::Of<float>({3}, {0.3f * factor, -0.1f * factor, 4.0f * factor});
    const std::vector<TensorView> gradients = {gradient.view()};
    optimizer->Step(views, gradients);
    after.emplace_back(weights.values<float>().begin(), weights.values<float>().end());
  }
  return after;
}

void ExpectSteps(const OptimizerSpec& spec, const std::vector<std::vector<float>>& expected) {
  const std::vector<std::vector<float>> got = ThreeSteps(spec);
  for (size_t step = 0; step < 3; ++step) {
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_FLOAT_EQ(got[step][i], expected[step][i]) << "step " << step + 1 << ", weight " << i;
    }
  }
}

TEST(Optimizer, Sgd) {
  ExpectSteps(SgdSpec{.learning_rate = 0.1}, {{0.969999969f, -1.99000001f, 0.099999994f},
                                              {0.954999983f, -1.98500001f, -0.100000009f},
                                              {0.985000014f, -1.995f, 0.300000012f}});
}

TEST(Optimizer, SgdWeightDecay) {
  ExpectSteps(SgdSpec{.learning_rate = 0.1, .weight_decay = 0.01},
              {{0.968999982f, -1.98800004f, 0.0994999856f},
               {0.953031003f, -1.98101199f, -0.100599512f},
               {0.982077956f, -1.98903096f, 0.299501121f}});
}

TEST(Optimizer, SgdMomentum) {
  ExpectSteps(SgdSpec{.learning_rate = 0.1, .momentum = 0.9},
              {{0.969999969f, -1.99000001f, 0.099999994f},
               {0.927999973f, -1.97599995f, -0.460000008f},
               {0.92019999f, -1.9734f, -0.56400001f}});
}

TEST(Optimizer, SgdNesterovWeightDecay) {
  ExpectSteps(
      SgdSpec{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true},
      {{0.941100001f, -1.97720003f, -0.260949999f},
       {0.885701895f, -1.95422339f, -0.964859188f},
       {0.905507803f, -1.95511079f, -0.656779051f}});
}

TEST(Optimizer, AdamDefaults) {
  ExpectSteps(AdamSpec{}, {{0.999000013f, -1.99899995f, 0.499000013f},
                           {0.998067856f, -1.99806774f, 0.498067826f},
                           {0.997957051f, -1.99795699f, 0.497957051f}});
}

TEST(Optimizer, AdamEverything) {
  ExpectSteps(
      AdamSpec{
          .learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.99, .epsilon = 0.1, .weight_decay = 0.01},
      {{0.924390256f, -1.9454546f, 0.402436048f},
       {0.85901475f, -1.89901149f, 0.313735843f},
       {0.855124116f, -1.88808215f, 0.31178692f}});
}

TEST(Optimizer, StepsEveryTensor) {
  Tensor a = Tensor::Of<float>({1}, {1});
  Tensor b = Tensor::Of<float>({2}, {1, 1});
  const Tensor gradient_a = Tensor::Of<float>({1}, {1});
  const Tensor gradient_b = Tensor::Of<float>({2}, {2, 0});
  const std::vector<int64_t> counts = {1, 2};
  const auto sgd = Optimizer::Create(SgdSpec{.learning_rate = 0.5, .momentum = 0.5}, counts);
  const std::vector<MutableTensorView> weights = {a.mutable_view(), b.mutable_view()};
  const std::vector<TensorView> gradients = {gradient_a.view(), gradient_b.view()};
  sgd->Step(weights, gradients);
  EXPECT_EQ(a.values<float>()[0], 0.5f);
  EXPECT_EQ(b.values<float>()[0], 0.0f);
  EXPECT_EQ(b.values<float>()[1], 1.0f);
}

}  // namespace
}  // namespace sigserve
