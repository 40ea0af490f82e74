#include "model/ops/core/weights.h"

#include "model/kernels/bf16_gemm.h"

namespace sigserve {

kernels::MatrixView MatrixOf(const TensorView& tensor, bool transposed) {
  const auto view = kernels::MatrixView::RowMajor(static_cast<const float*>(tensor.data()),
                                                  static_cast<size_t>(tensor.shape()[0]),
                                                  static_cast<size_t>(tensor.shape()[1]));
  return transposed ? view.Transposed() : view;
}

absl::StatusOr<kernels::Activation> ReadDenseActivation(
    const NodeSpec& node, std::initializer_list<absl::string_view> known) {
  Attributes onnx;
  for (const std::string& name : node.attributes.names()) {
    const bool ours = name == "activation" || kPrecisionAttribute == name;
    if (node.domain == kFusedDomain && ours) continue;
    SIGSERVE_RETURN_IF_ERROR(onnx.Add(name, *node.attributes.find(name)));
  }
  SIGSERVE_RETURN_IF_ERROR(onnx.CheckKnown(known));
  const absl::StatusOr<std::string> read = node.attributes.String("activation", "None");
  SIGSERVE_RETURN_IF_ERROR(read.status());
  const absl::string_view name = *read;
  if (name == "None") return kernels::Activation::kNone;
  if (name == "Relu") return kernels::Activation::kRelu;
  return absl::InvalidArgumentError(
      absl::StrCat("activation is '", name, "', expected None or Relu"));
}

Weights::Weights(const TensorView& constant, bool transposed, Precision precision)
    : transposed_(transposed), precision_(precision) {
  if (!constant.present() || constant.dtype() != DType::kFloat32 || constant.shape().rank() != 2) {
    return;
  }
  const kernels::MatrixView w = MatrixOf(constant, transposed);
  if (precision == Precision::kBf16) {
    const size_t size = kernels::PackedBf16Size(w.rows, w.columns);
    panels_ = AlignedBuffer::Uninitialized(size * sizeof(uint16_t));
    kernels::PackBf16Weights(w, {static_cast<uint16_t*>(panels_.data()), size});
  } else {
    const size_t size = kernels::PackedSize(w.rows, w.columns);
    panels_ = AlignedBuffer::Uninitialized(size * sizeof(float));
    kernels::PackWeights(w, {static_cast<float*>(panels_.data()), size});
  }
  columns_ = w.columns;
  packed_ = true;
}

void Weights::Multiply(const kernels::MatrixView& x, const TensorView& w,
                       const kernels::GemmEpilogue& epilogue, float* out) const {
  if (packed_) {
    Multiply(x, epilogue, out);
  } else {
    kernels::Gemm(x, MatrixOf(w, transposed_), epilogue, out);
  }
}

void Weights::Multiply(const kernels::MatrixView& x, const kernels::GemmEpilogue& epilogue,
                       float* out) const {
  if (precision_ == Precision::kBf16) {
    kernels::Bf16GemmPacked(x, static_cast<const uint16_t*>(panels_.data()), columns_, epilogue,
                            out);
  } else {
    kernels::GemmPacked(x, static_cast<const float*>(panels_.data()), columns_, epilogue, out);
  }
}

}  // namespace sigserve
