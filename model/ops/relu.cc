#include "model/kernels/activation.h"
#include "model/ops/activation.h"

namespace sigserve {
namespace {

struct ReluRule {
  static constexpr auto Run = kernels::Relu;
  static float Slope(float x, float) { return x > 0 ? 1.0f : 0.0f; }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeRelu(const NodeSpec& node,
                                                   absl::Span<const TensorView>) {
  return ActivationOp<ReluRule>::Make(node);
}

}  // namespace sigserve
