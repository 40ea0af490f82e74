#include "model/ops/math/double_product.h"

#include <algorithm>

namespace sigserve {

DoubleMatrix DoubleMatrix::RowMajor(const double* data, int64_t rows, int64_t columns) {
  return {data, rows, columns, columns, 1};
}

DoubleMatrix DoubleMatrix::Of(const TensorView& tensor, bool transposed) {
  const int64_t rows = tensor.shape()[0];
  const int64_t columns = tensor.shape()[1];
  const auto* data = static_cast<const double*>(tensor.data());
  return transposed ? DoubleMatrix{data, columns, rows, 1, columns} : RowMajor(data, rows, columns);
}

void Multiply(const DoubleMatrix& a, const DoubleMatrix& b, double* y) {
  for (int64_t i = 0; i < a.rows; ++i, y += b.columns) {
    std::fill_n(y, b.columns, 0.0);
    for (int64_t k = 0; k < a.columns; ++k) {
      const double x = a.data[i * a.row_stride + k * a.column_stride];
      const double* row = b.data + k * b.row_stride;
      for (int64_t j = 0; j < b.columns; ++j) {
        y[j] += x * row[j * b.column_stride];
      }
    }
  }
}

}  // namespace sigserve
