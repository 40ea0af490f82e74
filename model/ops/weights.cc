#include "model/ops/weights.h"

namespace sigserve {

kernels::MatrixView MatrixOf(const TensorView& tensor, bool transposed) {
  const auto view = kernels::MatrixView::RowMajor(static_cast<const float*>(tensor.data()),
                                                  static_cast<size_t>(tensor.shape()[0]),
                                                  static_cast<size_t>(tensor.shape()[1]));
  return transposed ? view.Transposed() : view;
}

Weights::Weights(const TensorView& constant, bool transposed) : transposed_(transposed) {
  if (!constant.present() || constant.dtype() != DType::kFloat32 || constant.shape().rank() != 2) {
    return;
  }
  const kernels::MatrixView w = MatrixOf(constant, transposed);
  const size_t size = kernels::PackedSize(w.rows, w.columns);
  panels_ = AlignedBuffer(size * sizeof(float));
  kernels::PackWeights(w, {static_cast<float*>(panels_.data()), size});
  packed_ = true;
}

void Weights::Multiply(const kernels::MatrixView& x, const TensorView& w,
                       const kernels::GemmEpilogue& epilogue, float* out) const {
  const kernels::MatrixView view = MatrixOf(w, transposed_);
  if (packed_) {
    kernels::GemmPacked(x, static_cast<const float*>(panels_.data()), view.columns, epilogue, out);
  } else {
    kernels::Gemm(x, view, epilogue, out);
  }
}

}  // namespace sigserve
