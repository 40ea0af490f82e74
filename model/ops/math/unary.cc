// Abs, Ceil, Floor, IsNaN, Neg, Not, Reciprocal, Round, Sign, Sqrt.
#include "model/ops/math/unary.h"
#include "model/ops/math/makers.h"

#include <cmath>
#include <type_traits>

namespace sigserve {
namespace {

// -x on unsigned words: the smallest integer stays itself instead of overflowing.
template <typename T>
T Negative(T x) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(x));
  } else {
    return -x;
  }
}

struct AbsRule {
  static constexpr Elements kTakes = Elements::kNumbers;
  template <typename T>
  static T Apply(T x) {
    if constexpr (std::is_integral_v<T>) {
      return x < 0 ? Negative(x) : x;
    } else {
      return std::abs(x);
    }
  }
};
struct CeilRule {
  static constexpr Elements kTakes = Elements::kFloats;
  template <typename T>
  static T Apply(T x) {
    return std::ceil(x);
  }
};
struct FloorRule {
  static constexpr Elements kTakes = Elements::kFloats;
  template <typename T>
  static T Apply(T x) {
    return std::floor(x);
  }
};
struct NegRule {
  static constexpr Elements kTakes = Elements::kNumbers;
  template <typename T>
  static T Apply(T x) {
    return Negative(x);
  }
};
struct NotRule {
  static constexpr Elements kTakes = Elements::kBools;
  static bool Apply(bool x) { return !x; }
};
struct ReciprocalRule {
  static constexpr Elements kTakes = Elements::kFloats;
  template <typename T>
  static T Apply(T x) {
    return 1 / x;
  }
};
struct RoundRule {  // halves to even
  static constexpr Elements kTakes = Elements::kFloats;
  template <typename T>
  static T Apply(T x) {
    return std::nearbyint(x);
  }
};
struct SignRule {  // NaN stays
  static constexpr Elements kTakes = Elements::kNumbers;
  template <typename T>
  static T Apply(T x) {
    return x > 0 ? T{1} : x < 0 ? T{-1} : x == 0 ? T{0} : x;
  }
};
struct SqrtRule {
  static constexpr Elements kTakes = Elements::kFloats;
  template <typename T>
  static T Apply(T x) {
    return std::sqrt(x);
  }
};

class IsNaNOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const DType dtype = in[0].type.dtype;
    if (dtype != DType::kFloat32 && dtype != DType::kFloat64) {
      return absl::InvalidArgumentError(
          absl::StrCat("input is ", Name(dtype), ", expected FLOAT32 or FLOAT64"));
    }
    out[0] = {DType::kBool, in[0].type.shape};
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    auto* y = static_cast<bool*>(out[0].data());
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto* x = static_cast<const T*>(in[0].data());
      const int64_t n = out[0].elements();
      for (int64_t i = 0; i < n; ++i) {
        y[i] = x[i] != x[i];
      }
    });
  }
};

}  // namespace

using Made = absl::StatusOr<std::unique_ptr<const Op>>;
using Constants = absl::Span<const TensorView>;

Made MakeAbs(const NodeSpec& node, Constants) { return UnaryOp<AbsRule>::Make(node); }
Made MakeCeil(const NodeSpec& node, Constants) { return UnaryOp<CeilRule>::Make(node); }
Made MakeFloor(const NodeSpec& node, Constants) { return UnaryOp<FloorRule>::Make(node); }
Made MakeNeg(const NodeSpec& node, Constants) { return UnaryOp<NegRule>::Make(node); }
Made MakeNot(const NodeSpec& node, Constants) { return UnaryOp<NotRule>::Make(node); }
Made MakeReciprocal(const NodeSpec& node, Constants) { return UnaryOp<ReciprocalRule>::Make(node); }
Made MakeRound(const NodeSpec& node, Constants) { return UnaryOp<RoundRule>::Make(node); }
Made MakeSign(const NodeSpec& node, Constants) { return UnaryOp<SignRule>::Make(node); }
Made MakeSqrt(const NodeSpec& node, Constants) { return UnaryOp<SqrtRule>::Make(node); }

Made MakeIsNaN(const NodeSpec& node, Constants) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<IsNaNOp>();
}

}  // namespace sigserve
