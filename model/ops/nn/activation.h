// For sigmoid.cc, tanh.cc and relu.cc: FLOAT32 or FLOAT64 in, the same out, same shape.
#pragma once

#include <algorithm>

#include "model/ops/core/floats.h"

namespace sigserve {

/// `Rule` gives: static void Run(x, out) over spans of FLOAT32; static double Apply(double); static
/// float Gradient(x, y, g): g times the derivative where y = f(x).
template <typename Rule>
class ActivationOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat(in[0], "input"));
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in,
               absl::Span<const MutableTensorView> out) const override {
    if (out[0].dtype() == DType::kFloat32) {
      Rule::Run(in[0].values<float>(), out[0].values<float>());
    } else {
      const absl::Span<const double> x = in[0].values<double>();
      std::transform(x.begin(), x.end(), out[0].values<double>().begin(), Rule::Apply);
    }
  }

  MemoryUse memory_use() const override { return MemoryUse::kInPlace; }

  bool differentiable() const override { return true; }

  void Backward(absl::Span<const TensorView> in, absl::Span<const TensorView> out,
                absl::Span<const TensorView> grad_out,
                absl::Span<const MutableTensorView> grad_in) const override {
    if (!grad_in[0].present()) {
      return;
    }
    // Pointers that do not alias, so that the loop is vectorized: Debian's absl::Span checks every
    // index.
    const float* __restrict x = in[0].values<float>().data();
    const float* __restrict y = out[0].values<float>().data();
    const float* __restrict g = grad_out[0].values<float>().data();
    float* __restrict dx = grad_in[0].values<float>().data();
    const auto count = static_cast<size_t>(in[0].elements());
    for (size_t i = 0; i < count; ++i) {
      dx[i] += Rule::Gradient(x[i], y[i], g[i]);
    }
  }

  static absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
    return std::make_unique<ActivationOp>();
  }
};

}  // namespace sigserve
