#include <cmath>

#include "model/kernels/activation.h"
#include "model/ops/nn/activation.h"
#include "model/ops/nn/makers.h"

namespace sigserve {
namespace {

struct TanhRule {
  static constexpr auto Run = kernels::Tanh;
  static double Apply(double x) { return std::tanh(x); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeTanh(const NodeSpec& node,
                                                   absl::Span<const TensorView>) {
  return ActivationOp<TanhRule>::Make(node);
}

}  // namespace sigserve
