#include "model/ops/matrix_gradient.h"

#include <Eigen/Core>

namespace sigserve {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColumnMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

// A row-major matrix read as column-major is its transpose.
template <typename Product>
void Accumulate(const Product& product, float alpha, bool transpose, const Matrix& sum) {
  if (transpose) {
    Eigen::Map<ColumnMajor>(sum.data, sum.columns, sum.rows).noalias() += alpha * product;
  } else {
    Eigen::Map<RowMajor>(sum.data, sum.rows, sum.columns).noalias() += alpha * product;
  }
}

}  // namespace

void AddProduct(const ConstMatrix& a, float alpha, bool transpose_a, const ConstMatrix& b,
                bool transpose_b, bool transpose_product, const Matrix& sum) {
  const Eigen::Map<const RowMajor> ma(a.data, a.rows, a.columns);
  const Eigen::Map<const RowMajor> mb(b.data, b.rows, b.columns);
  if (transpose_a && transpose_b) {
    Accumulate(ma.transpose() * mb.transpose(), alpha, transpose_product, sum);
  } else if (transpose_a) {
    Accumulate(ma.transpose() * mb, alpha, transpose_product, sum);
  } else if (transpose_b) {
    Accumulate(ma * mb.transpose(), alpha, transpose_product, sum);
  } else {
    Accumulate(ma * mb, alpha, transpose_product, sum);
  }
}

}  // namespace sigserve
