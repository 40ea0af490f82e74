#include <algorithm>

#include "model/ops/nn/makers.h"
#include "model/ops/nn/recurrent.h"

namespace sigserve {
namespace {

// Gates i, o, f, c. i = f(..), f = f(..), c' = f c + i g(..), o = f(..), h' = o h(c'), where the
// dots are x W + h R + biases, and for i, o and f a peephole's share of the cell.
class LstmOp final : public RecurrentOp {
 public:
  LstmOp(RecurrentSettings settings, bool couples, absl::Span<const TensorView> constants)
      : RecurrentOp(std::move(settings), constants), couples_(couples) {}

 protected:
  void Run(const Step& step) const override {
    const size_t n = step.hidden;
    float* gates = step.scratch;  // [rows, 4 * hidden]
    Multiply(step, Side::kInput, 0, step.x, false, gates);
    Multiply(step, Side::kState, 0, kernels::MatrixView::RowMajor(step.h, step.rows, n), true,
             gates);
    const bool peeps = step.in.size() > 7 && step.in[7].present();
    const float* p =
        peeps ? step.in[7].values<float>().data() + static_cast<size_t>(step.direction) * 3 * n
              : nullptr;
    for (size_t row = 0; row < step.rows; ++row) {
      const float* c = step.c + row * n;
      float* next_c = step.next_c + row * n;
      float* next_h = step.next_h + row * n;
      float* i = gates + row * 4 * n;
      float* o = i + n;
      float* f = i + 2 * n;
      float* g = i + 3 * n;
      if (peeps) {
        AddProduct(p, c, n, i);
        AddProduct(p + 2 * n, c, n, f);
        Activate(step, 0, {i, n});
        Activate(step, 0, {f, n});
      } else {
        Activate(step, 0, {i, 3 * n});
      }
      Activate(step, 1, {g, n});
      for (size_t k = 0; k < n; ++k) {
        const float keep = couples_ ? 1 - i[k] : f[k];
        next_c[k] = keep * c[k] + i[k] * g[k];
      }
      if (peeps) {
        AddProduct(p + n, next_c, n, o);
        Activate(step, 0, {o, n});
      }
      std::copy_n(next_c, n, next_h);
      Activate(step, 2, {next_h, n});
      for (size_t k = 0; k < n; ++k) {
        next_h[k] *= o[k];
      }
    }
  }

 private:
  static void AddProduct(const float* a, const float* b, size_t n, float* sum) {
    for (size_t k = 0; k < n; ++k) {
      sum[k] += a[k] * b[k];
    }
  }

  const bool couples_;  // forget what is not put in
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeLstm(const NodeSpec& node,
                                                   absl::Span<const TensorView> constants) {
  using Kind = RecurrentActivation::Kind;
  RecurrentKind kind{4, {4}, {{Kind::kSigmoid}, {Kind::kTanh}, {Kind::kTanh}}, true, 4};
  SIGSERVE_ASSIGN_OR_RETURN(RecurrentSettings settings,
                            ReadRecurrent(node, std::move(kind), {"input_forget"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t couples, node.attributes.Int("input_forget", 0));
  return std::make_unique<LstmOp>(std::move(settings), couples != 0, constants);
}

}  // namespace sigserve
