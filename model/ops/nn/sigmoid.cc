#include <cmath>

#include "model/kernels/activation.h"
#include "model/ops/nn/activation.h"
#include "model/ops/nn/makers.h"

namespace sigserve {
namespace {

struct SigmoidRule {
  static constexpr auto Run = kernels::Sigmoid;
  static double Apply(double x) {
    const double e = std::exp(-std::abs(x));
    return (x < 0 ? e : 1) / (1 + e);
  }
};

struct FastSigmoidRule : SigmoidRule {
  static constexpr auto Run = kernels::FastSigmoid;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeSigmoid(const NodeSpec& node,
                                                      absl::Span<const TensorView>) {
  return ActivationOp<SigmoidRule>::Make(node);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeFastSigmoid(const NodeSpec& node,
                                                          absl::Span<const TensorView>) {
  return ActivationOp<FastSigmoidRule>::Make(node);
}

}  // namespace sigserve
