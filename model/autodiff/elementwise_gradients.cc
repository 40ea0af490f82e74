#include "model/autodiff/gradients.h"
#include "model/ops/core/broadcast.h"

namespace sigserve {
namespace {

/// `Gradient(x, y, g)`: g times the derivative at x, where y = f(x).
template <typename Gradient>
BackwardRule UnaryBackward(Gradient gradient) {
  return [gradient](const BackwardPass& pass) {
    if (!pass.grad_in[0].present()) return;
    // Pointers that do not alias, so that the loop is vectorized: Debian's absl::Span checks every
    // index.
    const float* __restrict x = pass.in[0].values<float>().data();
    const float* __restrict y = pass.out[0].values<float>().data();
    const float* __restrict g = pass.grad_out[0].values<float>().data();
    float* __restrict dx = pass.grad_in[0].values<float>().data();
    const auto count = static_cast<size_t>(pass.in[0].elements());
    for (size_t i = 0; i < count; ++i) {
      dx[i] += gradient(x[i], y[i], g[i]);
    }
  };
}

/// Adds f(i) for a run of i to where one operand lies: to one element when it repeats.
template <typename F>
void AddRun(int64_t length, bool repeats, float* sum, F f) {
  if (repeats) {
    float total = 0;
    for (int64_t i = 0; i < length; ++i) total += f(i);
    *sum += total;
  } else {
    for (int64_t i = 0; i < length; ++i) sum[i] += f(i);
  }
}

/// `Left(a, b, g)` and `Right(a, b, g)`: g times the derivative by a and by b. Broadcast operands
/// get the sum over the elements that they were repeated for.
template <typename Left, typename Right>
BackwardRule BinaryBackward(Left left, Right right) {
  return [left, right](const BackwardPass& pass) {
    const float* a = pass.in[0].values<float>().data();
    const float* b = pass.in[1].values<float>().data();
    const float* g = pass.grad_out[0].values<float>().data();
    const BroadcastRuns runs(pass.in[0].shape(), pass.in[1].shape());
    const auto add = [&](const MutableTensorView& sum, bool is_left, auto rule) {
      if (!sum.present()) return;
      float* to = sum.values<float>().data();
      runs.ForEach([&](int64_t ia, int64_t ib, int64_t io) {
        const bool repeats = is_left ? runs.a_repeats() : runs.b_repeats();
        AddRun(runs.length(), repeats, to + (is_left ? ia : ib), [&](int64_t i) {
          return rule(a[ia + (runs.a_repeats() ? 0 : i)], b[ib + (runs.b_repeats() ? 0 : i)],
                      g[io + i]);
        });
      });
    };
    add(pass.grad_in[0], true, left);
    add(pass.grad_in[1], false, right);
  };
}

}  // namespace

absl::StatusOr<BackwardRule> CopyBackward(const NodeSpec&) {
  return UnaryBackward([](float, float, float g) { return g; });
}

absl::StatusOr<BackwardRule> ReluBackward(const NodeSpec&) {
  return UnaryBackward([](float x, float, float g) { return x > 0 ? g : 0.0F; });
}

absl::StatusOr<BackwardRule> SigmoidBackward(const NodeSpec&) {
  return UnaryBackward([](float, float y, float g) { return g * y * (1 - y); });
}

absl::StatusOr<BackwardRule> TanhBackward(const NodeSpec&) {
  return UnaryBackward([](float, float y, float g) { return g * (1 - y * y); });
}

absl::StatusOr<BackwardRule> AddBackward(const NodeSpec&) {
  return BinaryBackward([](float, float, float g) { return g; },
                        [](float, float, float g) { return g; });
}

absl::StatusOr<BackwardRule> SubBackward(const NodeSpec&) {
  return BinaryBackward([](float, float, float g) { return g; },
                        [](float, float, float g) { return -g; });
}

absl::StatusOr<BackwardRule> MulBackward(const NodeSpec&) {
  return BinaryBackward([](float, float b, float g) { return g * b; },
                        [](float a, float, float g) { return g * a; });
}

absl::StatusOr<BackwardRule> DivBackward(const NodeSpec&) {
  return BinaryBackward([](float, float b, float g) { return g / b; },
                        [](float a, float b, float g) { return -g * a / (b * b); });
}

}  // namespace sigserve
