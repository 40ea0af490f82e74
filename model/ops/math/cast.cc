#include <cmath>
#include <limits>
#include <type_traits>

#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

// Floats are cut towards zero; beyond the integer's range (where ONNX leaves it open) they become
// its nearest end, NaN becomes 0. Anything but 0 is true.
template <typename To, typename From>
To Convert(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From{0};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    constexpr To kLowest = std::numeric_limits<To>::min();
    constexpr To kHighest = std::numeric_limits<To>::max();
    if (std::isnan(x)) {
      return 0;
    }
    if (x < static_cast<From>(kLowest)) {
      return kLowest;
    }
    return x >= -static_cast<From>(kLowest) ? kHighest : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

class CastOp final : public Op {
 public:
  explicit CastOp(DType to) : to_(to) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    return SetOutput(to_, in[0].type.shape, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    VisitDType(in[0].dtype(), [&](auto from_tag) {
      using From = typename decltype(from_tag)::type;
      VisitDType(to_, [&](auto to_tag) {
        using To = typename decltype(to_tag)::type;
        const auto* x = static_cast<const From*>(in[0].data());
        auto* y = static_cast<To*>(out[0].data());
        const int64_t n = out[0].elements();
        for (int64_t i = 0; i < n; ++i) {
          y[i] = Convert<To>(x[i]);
        }
      });
    });
  }

 private:
  const DType to_;
};

// ONNX's numbers of the types.
absl::StatusOr<DType> TypeNumbered(int64_t number) {
  switch (number) {
    case 1:
      return DType::kFloat32;
    case 6:
      return DType::kInt32;
    case 7:
      return DType::kInt64;
    case 9:
      return DType::kBool;
    case 11:
      return DType::kFloat64;
    default:
      return absl::UnimplementedError(
          absl::StrCat("attribute 'to' is type ", number,
                       ": only 1 (FLOAT32), 6 (INT32), 7 (INT64), 9 (BOOL) and 11 (FLOAT64) are "
                       "supported"));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeCast(const NodeSpec& node,
                                                   absl::Span<const TensorView>) {
  // `saturate` is about 8-bit floats.
  if (node.opset < 19) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"to"}));
  }
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"saturate", "to"}));
  SIGSERVE_RETURN_IF_ERROR(node.attributes.Int("saturate", 1).status());
  if (!node.attributes.has("to")) {
    return absl::InvalidArgumentError("attribute 'to' is missing");
  }
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t number, node.attributes.Int("to", 0));
  SIGSERVE_ASSIGN_OR_RETURN(const DType to, TypeNumbered(number));
  return std::make_unique<CastOp>(to);
}

}  // namespace sigserve
