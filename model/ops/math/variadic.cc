// Max, Mean, Min, Sum: any number of operands of one type, broadcast together.
#include <type_traits>

#include "model/ops/core/broadcast.h"
#include "model/ops/core/strided.h"
#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"
#include "model/ops/math/wrapping.h"

namespace sigserve {
namespace {

// `Rule` gives: static constexpr bool kIntegers; static T Apply(T, T); static T Finish(T, count).
template <typename Rule>
class VariadicOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const DType dtype = in[0].type.dtype;
    const bool floats = dtype == DType::kFloat32 || dtype == DType::kFloat64;
    if (dtype == DType::kBool || (!floats && !Rule::kIntegers)) {
      return absl::InvalidArgumentError(
          absl::StrCat("operands are ", Name(dtype), ", expected ",
                       Rule::kIntegers ? "numbers" : "FLOAT32 or FLOAT64"));
    }
    Shape shape = in[0].type.shape;
    for (size_t i = 1; i < in.size(); ++i) {
      if (!in[i].present) {
        return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
      }
      if (in[i].type.dtype != dtype) {
        return absl::InvalidArgumentError(absl::StrCat("input 0 is ", Name(dtype), ", input ", i,
                                                       " is ", Name(in[i].type.dtype),
                                                       ": they must be of one type"));
      }
      SIGSERVE_ASSIGN_OR_RETURN(shape, BroadcastShape(shape, in[i].type.shape));
    }
    return SetOutput(dtype, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    CopyStrided(in[0], 0, BroadcastStrides(in[0].shape(), out[0].shape()), out[0]);
    VisitDType(out[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (!std::is_same_v<T, bool>) {
        auto* y = static_cast<T*>(out[0].data());
        for (const TensorView& x : in.subspan(1)) {
          Accumulate(y, out[0].shape(), static_cast<const T*>(x.data()), x.shape());
        }
        const int64_t n = out[0].elements();
        for (int64_t i = 0; i < n; ++i) {
          y[i] = Rule::Finish(y[i], in.size());
        }
      }
    });
  }

  static absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
    return std::make_unique<VariadicOp>();
  }

 private:
  template <typename T>
  static void Accumulate(T* y, const Shape& y_shape, const T* x, const Shape& x_shape) {
    const BroadcastRuns runs(y_shape, x_shape);
    const int64_t step = runs.b_repeats() ? 0 : 1;
    runs.ForEach([&](int64_t, int64_t ix, int64_t iy) {
      for (int64_t i = 0; i < runs.length(); ++i) {
        y[iy + i] = Rule::Apply(y[iy + i], x[ix + i * step]);
      }
    });
  }
};

struct MaxRule {  // a NaN stays
  static constexpr bool kIntegers = true;
  template <typename T>
  static T Apply(T a, T b) {
    return a > b || a != a ? a : b;
  }
  template <typename T>
  static T Finish(T total, size_t) {
    return total;
  }
};
struct MinRule {
  static constexpr bool kIntegers = true;
  template <typename T>
  static T Apply(T a, T b) {
    return a < b || a != a ? a : b;
  }
  template <typename T>
  static T Finish(T total, size_t) {
    return total;
  }
};
struct SumRule {
  static constexpr bool kIntegers = false;
  template <typename T>
  static T Apply(T a, T b) {
    return Wrapping(a, b, [](auto x, auto y) { return x + y; });
  }
  template <typename T>
  static T Finish(T total, size_t) {
    return total;
  }
};
struct MeanRule : SumRule {
  template <typename T>
  static T Finish(T total, size_t count) {
    return total / static_cast<T>(count);
  }
};

}  // namespace

using Made = absl::StatusOr<std::unique_ptr<const Op>>;
using Constants = absl::Span<const TensorView>;

Made MakeMax(const NodeSpec& node, Constants) { return VariadicOp<MaxRule>::Make(node); }
Made MakeMean(const NodeSpec& node, Constants) { return VariadicOp<MeanRule>::Make(node); }
Made MakeMin(const NodeSpec& node, Constants) { return VariadicOp<MinRule>::Make(node); }
Made MakeSum(const NodeSpec& node, Constants) { return VariadicOp<SumRule>::Make(node); }

}  // namespace sigserve
