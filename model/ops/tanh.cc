#include "model/kernels/activation.h"
#include "model/ops/activation.h"

namespace sigserve {
namespace {

struct TanhRule {
  static constexpr auto Run = kernels::Tanh;
  static float Slope(float, float y) { return 1 - y * y; }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeTanh(const NodeSpec& node,
                                                   absl::Span<const TensorView>) {
  return ActivationOp<TanhRule>::Make(node);
}

}  // namespace sigserve
