#include "model/kernels/binary.h"
#include "model/ops/math/arithmetic.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

struct MulRule {
  static constexpr auto Float = kernels::Mul;
  template <typename T>
  static T Apply(T a, T b) {
    return Wrapping(a, b, [](auto x, auto y) { return x * y; });
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeMul(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  return ArithmeticOp<MulRule>::Make(node);
}

}  // namespace sigserve
