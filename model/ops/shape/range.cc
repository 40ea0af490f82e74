#include <cmath>
#include <type_traits>

#include "model/ops/core/visit.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

// start, start + delta, ... up to but without limit. The three scalars decide the shape, so they
// must be known.
class RangeOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    static constexpr absl::string_view kNames[] = {"start", "limit", "delta"};
    const DType dtype = in[0].type.dtype;
    for (size_t i = 0; i < 3; ++i) {
      if (in[i].type.dtype != dtype || dtype == DType::kBool || in[i].type.shape.elements() != 1) {
        return absl::InvalidArgumentError(absl::StrCat(kNames[i], " is ", Name(in[i].type.dtype),
                                                       " ", in[i].type.shape.ToString(),
                                                       ", expected one number of start's type"));
      }
      if (!in[i].value.present()) {
        return absl::UnimplementedError(
            absl::StrCat(kNames[i],
                         " depends on the values of the inputs: only constants and "
                         "shapes are supported"));
      }
    }
    return VisitDType(dtype, [&](auto tag) -> absl::Status {
      using T = typename decltype(tag)::type;
      const auto at = [&](size_t i) { return *static_cast<const T*>(in[i].value.data()); };
      if (!(std::abs(static_cast<double>(at(2))) > 0)) {
        return absl::InvalidArgumentError("delta is 0, expected a step");
      }
      // long double holds every int64_t.
      const long double span = static_cast<long double>(at(1)) - static_cast<long double>(at(0));
      const long double count = std::ceil(span / static_cast<long double>(at(2)));
      if (!(count <= 0x1p40L)) {
        return absl::InvalidArgumentError("start, limit and delta make no finite range");
      }
      return SetOutput(dtype, Shape{count > 0 ? static_cast<int64_t>(count) : 0}, out[0]);
    });
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    VisitDType(out[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      if constexpr (!std::is_same_v<T, bool>) {
        const T start = *static_cast<const T*>(in[0].data());
        const T delta = *static_cast<const T*>(in[2].data());
        auto* y = static_cast<T*>(out[0].data());
        const int64_t n = out[0].elements();
        for (int64_t i = 0; i < n; ++i) {
          y[i] = static_cast<T>(start + static_cast<T>(i) * delta);
        }
      }
    });
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeRange(const NodeSpec& node,
                                                    absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<RangeOp>();
}

}  // namespace sigserve
