// Shift and scale that bring each feature to mean 0 and standard deviation 1 over the rows it was
// learned from: scikit-learn's StandardScaler (population deviation; a feature that is constant up
// to rounding keeps scale 1). A value.
#pragma once

#include <vector>

#include "model/tensor/tensor.h"

namespace sigserve {

struct Standardization {
  std::vector<float> mean;
  std::vector<float> stddev;  // never 0
};

/// From `features` [rows, columns], FLOAT32, at least one row; computed in double.
Standardization LearnStandardization(const Tensor& features);

/// (x - mean) / stddev in place, in float32: the same operations in the same order as the nodes of
/// the published graph (architecture.h), hence the same bits.
void Standardize(const Standardization& standardization, Tensor& features);

}  // namespace sigserve
