#include "model/ops/nn/makers.h"
#include "model/ops/nn/recurrent.h"

namespace sigserve {
namespace {

// Gates z, r, h. z and r = f(x W + h R + biases); then h~ = g(x W + (r h) R + biases), or, with
// linear_before_reset, g(x W + bias + r (h R + bias)); h' = (1 - z) h~ + z h.
class GruOp final : public RecurrentOp {
 public:
  GruOp(RecurrentSettings settings, bool linear_before_reset,
        absl::Span<const TensorView> constants)
      : RecurrentOp(std::move(settings), constants), linear_before_reset_(linear_before_reset) {}

 protected:
  void Run(const Step& step) const override {
    const size_t n = step.hidden;
    const size_t all = step.rows * n;
    float* zr = step.scratch;     // [rows, 2 * hidden]
    float* fresh = zr + 2 * all;  // h~
    float* reset = fresh + all;   // r h, or h R
    const auto h = kernels::MatrixView::RowMajor(step.h, step.rows, n);
    Multiply(step, Side::kInput, 0, step.x, false, zr);
    Multiply(step, Side::kState, 0, h, true, zr);
    Activate(step, 0, {zr, 2 * all});
    Multiply(step, Side::kInput, 1, step.x, false, fresh);
    if (linear_before_reset_) {
      Multiply(step, Side::kState, 1, h, false, reset);
    }
    for (size_t i = 0; i < all; ++i) {
      const float r = zr[i / n * 2 * n + n + i % n];
      if (linear_before_reset_) {
        fresh[i] += r * reset[i];
      } else {
        reset[i] = r * step.h[i];
      }
    }
    if (!linear_before_reset_) {
      Multiply(step, Side::kState, 1, kernels::MatrixView::RowMajor(reset, step.rows, n), true,
               fresh);
    }
    Activate(step, 1, {fresh, all});
    for (size_t i = 0; i < all; ++i) {
      const float z = zr[i / n * 2 * n + i % n];
      step.next_h[i] = (1 - z) * fresh[i] + z * step.h[i];
    }
  }

 private:
  const bool linear_before_reset_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeGru(const NodeSpec& node,
                                                  absl::Span<const TensorView> constants) {
  using Kind = RecurrentActivation::Kind;
  RecurrentKind kind{3, {2, 1}, {{Kind::kSigmoid}, {Kind::kTanh}}, false, 4};
  SIGSERVE_ASSIGN_OR_RETURN(RecurrentSettings settings,
                            ReadRecurrent(node, std::move(kind), {"linear_before_reset"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t linear, node.attributes.Int("linear_before_reset", 0));
  return std::make_unique<GruOp>(std::move(settings), linear != 0, constants);
}

}  // namespace sigserve
