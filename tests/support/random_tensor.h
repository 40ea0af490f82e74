// Weights and rows for tests that do not care which.
#pragma once

#include <cstdint>
#include <random>

#include "model/tensor/tensor.h"

namespace sigserve::testing_support {

/// FLOAT32, normally distributed; the same every time.
inline Tensor Random(const Shape& shape, uint32_t seed) {
  Tensor tensor(DType::kFloat32, shape);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (float& x : tensor.mutable_values<float>()) x = normal(random);
  return tensor;
}

}  // namespace sigserve::testing_support
