// For gemm.cc and matmul.cc: products of FLOAT64 matrices, by a plain loop. Models of scikit-learn
// may have them; what is to be fast is FLOAT32.
#pragma once

#include <cstdint>

#include "model/tensor/tensor_view.h"

namespace sigserve {

struct DoubleMatrix {
  const double* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t row_stride = 0;
  int64_t column_stride = 0;

  static DoubleMatrix RowMajor(const double* data, int64_t rows, int64_t columns);
  /// A rank-2 FLOAT64 tensor.
  static DoubleMatrix Of(const TensorView& tensor, bool transposed);
};

/// y = a * b, row-major; a.columns == b.rows. Terms are added in order.
void Multiply(const DoubleMatrix& a, const DoubleMatrix& b, double* y);

}  // namespace sigserve
