#include "model/kernels/binary.h"
#include "model/ops/math/arithmetic.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

struct DivRule {
  static constexpr auto Float = kernels::Div;
  template <typename T>
  static T Apply(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) {
        return 0;  // undefined by ONNX; must not trap
      }
      if (b == -1) {
        return Wrapping(T{0}, a, [](auto x, auto y) { return x - y; });  // min / -1 traps
      }
    }
    return a / b;
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeDiv(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  return ArithmeticOp<DivRule>::Make(node);
}

}  // namespace sigserve
