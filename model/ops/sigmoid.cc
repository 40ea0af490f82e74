#include <cmath>

#include "model/kernels/activation.h"
#include "model/ops/activation.h"

namespace sigserve {
namespace {

struct SigmoidRule {
  static constexpr auto Run = kernels::Sigmoid;
  static double Apply(double x) {
    const double e = std::exp(-std::abs(x));
    return (x < 0 ? e : 1) / (1 + e);
  }
  static float Gradient(float, float y, float g) { return g * y * (1 - y); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeSigmoid(const NodeSpec& node,
                                                      absl::Span<const TensorView>) {
  return ActivationOp<SigmoidRule>::Make(node);
}

}  // namespace sigserve
