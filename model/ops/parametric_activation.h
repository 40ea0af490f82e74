// For activations.cc: FLOAT32 in, FLOAT32 out, same shape, with attributes bound at the start.
#pragma once

#include <utility>

#include "model/ops/makers.h"

namespace sigserve {

/// `f(x, out)` over spans, as the kernels in model/kernels/activation.h.
template <typename F>
class ParametricActivationOp final : public Op {
 public:
  explicit ParametricActivationOp(F f) : f_(std::move(f)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat32(in[0], "input"));
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in,
               absl::Span<const MutableTensorView> out) const override {
    f_(in[0].values<float>(), out[0].values<float>());
  }

  MemoryUse memory_use() const override { return MemoryUse::kInPlace; }

 private:
  const F f_;
};

template <typename F>
std::unique_ptr<const Op> ActivationFrom(F f) {
  return std::make_unique<ParametricActivationOp<F>>(std::move(f));
}

}  // namespace sigserve
