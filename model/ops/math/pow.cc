#include <cmath>
#include <type_traits>

#include "model/ops/core/broadcast.h"
#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

// Base and exponent may differ in type (from opset 12 on); the result has the base's.
class PowOp final : public Op {
 public:
  explicit PowOp(bool one_type) : one_type_(one_type) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const DType base = in[0].type.dtype;
    const DType exponent = in[1].type.dtype;
    if (base == DType::kBool || exponent == DType::kBool) {
      return absl::InvalidArgumentError("operands are BOOL, expected numbers");
    }
    if (one_type_ && base != exponent) {
      return absl::InvalidArgumentError(absl::StrCat("left is ", Name(base), ", right is ",
                                                     Name(exponent), ": they must be of one type"));
    }
    SIGSERVE_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(in[0].type.shape, in[1].type.shape));
    return SetOutput(base, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    VisitDType(in[0].dtype(), [&](auto base_tag) {
      using T = typename decltype(base_tag)::type;
      VisitDType(in[1].dtype(), [&](auto exponent_tag) {
        using E = typename decltype(exponent_tag)::type;
        if constexpr (!std::is_same_v<T, bool> && !std::is_same_v<E, bool>) {
          Run<T, E>(in[0], in[1], out[0]);
        }
      });
    });
  }

 private:
  template <typename T, typename E>
  static T Power(T base, E exponent) {
    if constexpr (std::is_integral_v<T> && std::is_integral_v<E>) {
      if (exponent < 0) {  // 1 / base^n, cut towards zero
        return base == 1 ? T{1} : base == -1 ? (exponent % 2 != 0 ? T{-1} : T{1}) : T{0};
      }
      // By squaring, on unsigned words: overflow wraps.
      using U = std::make_unsigned_t<T>;
      U result = 1;
      for (U square = static_cast<U>(base); exponent > 0; exponent /= 2, square *= square) {
        result = exponent % 2 != 0 ? static_cast<U>(result * square) : result;
      }
      return static_cast<T>(result);
    } else if constexpr (std::is_integral_v<T>) {
      const double power = std::pow(static_cast<double>(base), static_cast<double>(exponent));
      const double limit = -static_cast<double>(std::numeric_limits<T>::min());
      return power >= -limit && power < limit ? static_cast<T>(power) : T{0};
    } else if constexpr (sizeof(E) > sizeof(T) || std::is_integral_v<E>) {
      return static_cast<T>(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
    } else {
      return exponent == 2 ? base * base : static_cast<T>(std::pow(base, static_cast<T>(exponent)));
    }
  }

  template <typename T, typename E>
  static void Run(const TensorView& left, const TensorView& right, const MutableTensorView& out) {
    const BroadcastRuns runs(left.shape(), right.shape());
    const auto* a = static_cast<const T*>(left.data());
    const auto* b = static_cast<const E*>(right.data());
    auto* y = static_cast<T*>(out.data());
    const int64_t a_step = runs.a_repeats() ? 0 : 1;
    const int64_t b_step = runs.b_repeats() ? 0 : 1;
    runs.ForEach([&](int64_t ia, int64_t ib, int64_t io) {
      for (int64_t i = 0; i < runs.length(); ++i) {
        y[io + i] = Power(a[ia + i * a_step], b[ib + i * b_step]);
      }
    });
  }

  const bool one_type_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakePow(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<PowOp>(node.opset < 12);
}

}  // namespace sigserve
