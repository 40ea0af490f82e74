// For sigmoid.cc, tanh.cc and relu.cc: FLOAT32 or FLOAT64 in, the same out, same shape.
#pragma once

#include <algorithm>

#include "model/ops/core/floats.h"

namespace sigserve {

/// `Rule` gives: static void Run(x, out) over spans of FLOAT32; static double Apply(double).
template <typename Rule>
class ActivationOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat(in[0], "input"));
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    if (out[0].dtype() == DType::kFloat32) {
      Rule::Run(in[0].values<float>(), out[0].values<float>());
    } else {
      const absl::Span<const double> x = in[0].values<double>();
      std::transform(x.begin(), x.end(), out[0].values<double>().begin(), Rule::Apply);
    }
  }

  MemoryUse memory_use() const override { return MemoryUse::kInPlace; }

  static absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
    return std::make_unique<ActivationOp>();
  }
};

}  // namespace sigserve
