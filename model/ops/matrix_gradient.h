// For the sources gemm.cc and matmul.cc: the matrix products of their gradients.
#pragma once

#include <cstdint>

#include "model/tensor/tensor_view.h"

namespace sigserve {

/// Borrowed row-major matrices.
struct ConstMatrix {
  ConstMatrix(const float* d, int64_t r, int64_t c) : data(d), rows(r), columns(c) {}
  const float* data;
  int64_t rows;
  int64_t columns;
};
struct Matrix {
  Matrix(float* d, int64_t r, int64_t c) : data(d), rows(r), columns(c) {}
  float* data;
  int64_t rows;
  int64_t columns;
};

/// Rank-2 FLOAT32 tensors.
inline ConstMatrix MapOf(const TensorView& t) {
  return {static_cast<const float*>(t.data()), t.shape()[0], t.shape()[1]};
}
inline Matrix MapOf(const MutableTensorView& t) {
  return {static_cast<float*>(t.data()), t.shape()[0], t.shape()[1]};
}

/// sum += alpha * (a' * b')', each ' a transposition if its flag is set.
void AddProduct(const ConstMatrix& a, float alpha, bool transpose_a, const ConstMatrix& b,
                bool transpose_b, bool transpose_product, const Matrix& sum);

}  // namespace sigserve
