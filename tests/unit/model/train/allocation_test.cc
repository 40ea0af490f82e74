// Training allocates nothing once it has warmed up: this file replaces the binary's operator new by
// one that counts.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include "gtest/gtest.h"
#include "model/train/random.h"
#include "model/train/trainer.h"
#include "tests/support/status_matchers.h"

namespace {

std::atomic<int64_t> allocations{0};

void* Allocate(size_t bytes, size_t alignment) {
  ++allocations;
  void* p = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment);
  if (p == nullptr) {
    std::abort();  // a test has nothing to fall back on
  }
  return p;
}

}  // namespace

void* operator new(size_t bytes) { return Allocate(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace sigserve {
namespace {

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
  const int64_t before = allocations;
  EXPECT_GT(before, 0);  // it does count
  const auto report = trainer->RunEpoch({});
  EXPECT_EQ(allocations - before, 0);
  EXPECT_OK(report);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, SteadyState,
                         testing::Values(AdamSpec{}, SgdSpec{.momentum = 0.9, .nesterov = true}),
                         [](const auto& info) {
                           return std::string(info.index == 0 ? "Adam" : "Sgd");
                         });

}  // namespace
}  // namespace sigserve
