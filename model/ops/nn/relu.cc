#include "model/kernels/activation.h"
#include "model/ops/nn/activation.h"
#include "model/ops/nn/makers.h"

namespace sigserve {
namespace {

struct ReluRule {
  static constexpr auto Run = kernels::Relu;
  static double Apply(double x) { return x < 0 ? 0 : x; }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeRelu(const NodeSpec& node,
                                                   absl::Span<const TensorView>) {
  return ActivationOp<ReluRule>::Make(node);
}

}  // namespace sigserve
