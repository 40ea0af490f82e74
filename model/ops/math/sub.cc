#include "model/kernels/binary.h"
#include "model/ops/math/arithmetic.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

struct SubRule {
  static constexpr auto Float = kernels::Sub;
  template <typename T>
  static T Apply(T a, T b) {
    return Wrapping(a, b, [](auto x, auto y) { return x - y; });
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeSub(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  return ArithmeticOp<SubRule>::Make(node);
}

}  // namespace sigserve
