// Equal, Greater, GreaterOrEqual, Less, LessOrEqual; And, Or, Xor. Two operands of one type,
// broadcast; the result is BOOL.
#include "model/ops/core/broadcast.h"
#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

enum class Takes { kNumbers, kBools, kBoth };

// `Rule` gives: static constexpr Takes kTakes; static bool Apply(T, T).
template <typename Rule>
class ComparisonOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const DType dtype = in[0].type.dtype;
    if (in[1].type.dtype != dtype) {
      return absl::InvalidArgumentError(absl::StrCat("left is ", Name(dtype), ", right is ",
                                                     Name(in[1].type.dtype),
                                                     ": they must be of one type"));
    }
    if (Rule::kTakes != Takes::kBoth &&
        (Rule::kTakes == Takes::kBools) != (dtype == DType::kBool)) {
      return absl::InvalidArgumentError(
          absl::StrCat("operands are ", Name(dtype), ", expected ",
                       Rule::kTakes == Takes::kBools ? "BOOL" : "numbers"));
    }
    SIGSERVE_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(in[0].type.shape, in[1].type.shape));
    return SetOutput(DType::kBool, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const BroadcastRuns runs(in[0].shape(), in[1].shape());
    const int64_t n = runs.length();
    const int64_t a_step = runs.a_repeats() ? 0 : 1;
    const int64_t b_step = runs.b_repeats() ? 0 : 1;
    auto* y = static_cast<bool*>(out[0].data());
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto* a = static_cast<const T*>(in[0].data());
      const auto* b = static_cast<const T*>(in[1].data());
      runs.ForEach([&](int64_t ia, int64_t ib, int64_t io) {
        for (int64_t i = 0; i < n; ++i) {
          y[io + i] = Rule::Apply(a[ia + i * a_step], b[ib + i * b_step]);
        }
      });
    });
  }

  static absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
    return std::make_unique<ComparisonOp>();
  }
};

struct EqualRule {
  static constexpr Takes kTakes = Takes::kBoth;
  template <typename T>
  static bool Apply(T a, T b) {
    return a == b;
  }
};
struct GreaterRule {
  static constexpr Takes kTakes = Takes::kNumbers;
  template <typename T>
  static bool Apply(T a, T b) {
    return a > b;
  }
};
struct GreaterOrEqualRule {
  static constexpr Takes kTakes = Takes::kNumbers;
  template <typename T>
  static bool Apply(T a, T b) {
    return a >= b;
  }
};
struct LessRule {
  static constexpr Takes kTakes = Takes::kNumbers;
  template <typename T>
  static bool Apply(T a, T b) {
    return a < b;
  }
};
struct LessOrEqualRule {
  static constexpr Takes kTakes = Takes::kNumbers;
  template <typename T>
  static bool Apply(T a, T b) {
    return a <= b;
  }
};
struct AndRule {
  static constexpr Takes kTakes = Takes::kBools;
  template <typename T>
  static bool Apply(T a, T b) {
    return a && b;
  }
};
struct OrRule {
  static constexpr Takes kTakes = Takes::kBools;
  template <typename T>
  static bool Apply(T a, T b) {
    return a || b;
  }
};
struct XorRule {
  static constexpr Takes kTakes = Takes::kBools;
  template <typename T>
  static bool Apply(T a, T b) {
    return a != b;
  }
};

}  // namespace

using Made = absl::StatusOr<std::unique_ptr<const Op>>;
using Constants = absl::Span<const TensorView>;

Made MakeAnd(const NodeSpec& node, Constants) { return ComparisonOp<AndRule>::Make(node); }
Made MakeEqual(const NodeSpec& node, Constants) { return ComparisonOp<EqualRule>::Make(node); }
Made MakeGreater(const NodeSpec& node, Constants) { return ComparisonOp<GreaterRule>::Make(node); }
Made MakeGreaterOrEqual(const NodeSpec& node, Constants) {
  return ComparisonOp<GreaterOrEqualRule>::Make(node);
}
Made MakeLess(const NodeSpec& node, Constants) { return ComparisonOp<LessRule>::Make(node); }
Made MakeLessOrEqual(const NodeSpec& node, Constants) {
  return ComparisonOp<LessOrEqualRule>::Make(node);
}
Made MakeOr(const NodeSpec& node, Constants) { return ComparisonOp<OrRule>::Make(node); }
Made MakeXor(const NodeSpec& node, Constants) { return ComparisonOp<XorRule>::Make(node); }

}  // namespace sigserve
