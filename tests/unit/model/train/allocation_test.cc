// Training allocates nothing once it has warmed up.
#include <memory>
#include <utility>

#include "gtest/gtest.h"
#include "model/train/random.h"
#include "model/train/trainer.h"
#include "tests/support/allocations/allocations.h"
#include "tests/support/sanitized.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::Allocations;

class SteadyState : public testing::TestWithParam<OptimizerSpec> {};

TEST_P(SteadyState, AnEpochAllocatesNothing) {
  TrainSpec spec;
  spec.feature_count = 30;
  spec.architecture.hidden_units = {64, 32};
  spec.optimizer = GetParam();
  spec.schedule.batch_size = 32;
  Tensor features(DType::kFloat32, {569, 30});
  Tensor labels(DType::kFloat32, {569, 1});
  Random random(1, 1);
  for (float& x : features.mutable_values<float>()) {
    x = random.Uniform(-1, 1);
  }
  for (float& y : labels.mutable_values<float>()) {
    y = static_cast<float>(random.Below(2));
  }
  ASSERT_OK_AND_ASSIGN(const auto trainer,
                       Trainer::Create(spec, std::move(features), std::move(labels), {}));
  ASSERT_OK(trainer->RunEpoch({}));
  const int64_t before = Allocations();
  EXPECT_EQ(before > 0, !testing_support::kSanitized);  // it does count
  const auto report = trainer->RunEpoch({});
  EXPECT_EQ(Allocations() - before, 0);
  EXPECT_OK(report);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, SteadyState,
                         testing::Values(AdamSpec{}, SgdSpec{.momentum = 0.9, .nesterov = true}),
                         [](const auto& info) {
                           return std::string(info.index == 0 ? "Adam" : "Sgd");
                         });

}  // namespace
}  // namespace sigserve
