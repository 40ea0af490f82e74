#include "model/ops/nn/makers.h"
#include "model/ops/nn/recurrent.h"

namespace sigserve {
namespace {

// h' = f(x W + h R + biases).
class RnnOp final : public RecurrentOp {
 public:
  using RecurrentOp::RecurrentOp;

 protected:
  void Run(const Step& step) const override {
    Multiply(step, Side::kInput, 0, step.x, false, step.next_h);
    Multiply(step, Side::kState, 0, kernels::MatrixView::RowMajor(step.h, step.rows, step.hidden),
             true, step.next_h);
    Activate(step, 0, {step.next_h, step.rows * step.hidden});
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeRnn(const NodeSpec& node,
                                                  absl::Span<const TensorView> constants) {
  RecurrentKind kind{1, {1}, {{RecurrentActivation::Kind::kTanh}}, false, 0};
  SIGSERVE_ASSIGN_OR_RETURN(RecurrentSettings settings, ReadRecurrent(node, std::move(kind), {}));
  return std::make_unique<RnnOp>(std::move(settings), constants);
}

}  // namespace sigserve
