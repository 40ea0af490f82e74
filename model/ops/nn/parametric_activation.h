// For activations.cc: FLOAT32 or FLOAT64 in, the same out, same shape, with attributes bound at the
// start.
#pragma once

#include <algorithm>
#include <utility>

#include "model/ops/core/floats.h"

namespace sigserve {

/// `f(x, out)` over spans, as the kernels in model/kernels/activation.h; `scalar(double)` for
/// FLOAT64.
template <typename F, typename Scalar>
class ParametricActivationOp final : public Op {
 public:
  ParametricActivationOp(F f, Scalar scalar) : f_(std::move(f)), scalar_(std::move(scalar)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat(in[0], "input"));
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    if (out[0].dtype() == DType::kFloat32) {
      f_(in[0].values<float>(), out[0].values<float>());
    } else {
      const absl::Span<const double> x = in[0].values<double>();
      std::transform(x.begin(), x.end(), out[0].values<double>().begin(), scalar_);
    }
  }

  MemoryUse memory_use() const override { return MemoryUse::kInPlace; }

 private:
  const F f_;
  const Scalar scalar_;
};

template <typename F, typename Scalar>
std::unique_ptr<const Op> ActivationFrom(F f, Scalar scalar) {
  return std::make_unique<ParametricActivationOp<F, Scalar>>(std::move(f), std::move(scalar));
}

}  // namespace sigserve
