#include <type_traits>

#include "model/ops/core/axes.h"
#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"
#include "model/ops/math/wrapping.h"

namespace sigserve {
namespace {

// Running sums along the axis that input 1 names.
class CumSumOp final : public Op {
 public:
  CumSumOp(bool exclusive, bool reverse) : exclusive_(exclusive), reverse_(reverse) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    if (in[0].type.dtype == DType::kBool) {
      return absl::InvalidArgumentError("input is BOOL, expected numbers");
    }
    SIGSERVE_ASSIGN_OR_RETURN(const int64_t axis, KnownInteger(in[1], "axis"));
    SIGSERVE_RETURN_IF_ERROR(ResolveAxis(axis, in[0].type.shape).status());
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    if (shape.elements() == 0) {
      return;
    }
    const int64_t named = in[1].dtype() == DType::kInt64
                              ? *static_cast<const int64_t*>(in[1].data())
                              : *static_cast<const int32_t*>(in[1].data());
    const int axis = static_cast<int>(named < 0 ? named + shape.rank() : named);
    int64_t stride = 1;
    for (int i = axis + 1; i < shape.rank(); ++i) {
      stride *= shape[i];
    }
    const int64_t n = shape[axis];
    const int64_t outer = shape.elements() / (stride * n);
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (!std::is_same_v<T, bool>) {
        for (int64_t o = 0; o < outer; ++o) {
          for (int64_t s = 0; s < stride; ++s) {
            const int64_t begin = o * n * stride + s;
            Accumulate(static_cast<const T*>(in[0].data()) + begin,
                       static_cast<T*>(out[0].data()) + begin, n, stride);
          }
        }
      }
    });
  }

 private:
  template <typename T>
  void Accumulate(const T* x, T* y, int64_t n, int64_t stride) const {
    T total = 0;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = (reverse_ ? n - 1 - i : i) * stride;
      const T sum = Wrapping(total, x[at], [](auto a, auto b) { return a + b; });
      y[at] = exclusive_ ? total : sum;
      total = sum;
    }
  }

  const bool exclusive_;
  const bool reverse_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeCumSum(const NodeSpec& node,
                                                     absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"exclusive", "reverse"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t exclusive, node.attributes.Int("exclusive", 0));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t reverse, node.attributes.Int("reverse", 0));
  return std::make_unique<CumSumOp>(exclusive != 0, reverse != 0);
}

}  // namespace sigserve
