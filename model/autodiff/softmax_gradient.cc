#include <cmath>

#include "model/autodiff/gradients.h"
#include "model/base/status_macros.h"
#include "model/ops/core/softmax_row.h"

namespace sigserve {
namespace {

absl::StatusOr<BackwardRule> Make(const NodeSpec& node, bool logarithm) {
  SIGSERVE_ASSIGN_OR_RETURN(const SoftmaxAxis axis, ReadSoftmaxAxis(node));
  return BackwardRule([=](const BackwardPass& pass) {
    if (!pass.grad_in[0].present()) return;
    const float* y = pass.out[0].values<float>().data();
    const float* g = pass.grad_out[0].values<float>().data();
    float* dx = pass.grad_in[0].values<float>().data();
    axis.ForEachRow(pass.in[0].shape(), [&](size_t begin, size_t count, size_t stride) {
      double sum = 0;  // of g y, or of g
      for (size_t j = begin; j < begin + count * stride; j += stride) {
        sum += static_cast<double>(g[j]) * (logarithm ? 1 : y[j]);
      }
      for (size_t j = begin; j < begin + count * stride; j += stride) {
        dx[j] += static_cast<float>(logarithm ? g[j] - std::exp(y[j]) * sum : y[j] * (g[j] - sum));
      }
    });
  });
}

}  // namespace

absl::StatusOr<BackwardRule> SoftmaxBackward(const NodeSpec& node) { return Make(node, false); }

absl::StatusOr<BackwardRule> LogSoftmaxBackward(const NodeSpec& node) { return Make(node, true); }

}  // namespace sigserve
