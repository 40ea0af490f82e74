// ArgMax, ArgMin.
#include <functional>

#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"
#include "model/ops/math/reduce.h"

namespace sigserve {
namespace {

struct ArgSettings {
  int64_t axis = 0;
  bool keep = true;
  bool last = false;  // of equal elements
};

// The index of the extreme element along one axis; a NaN is more extreme than any number.
template <template <typename> class Better>
class ArgExtremeOp final : public Op {
 public:
  explicit ArgExtremeOp(const ArgSettings& settings) : settings_(settings) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const TensorType& x = in[0].type;
    if (x.dtype == DType::kBool) {
      return absl::InvalidArgumentError("input is BOOL, expected numbers");
    }
    SIGSERVE_ASSIGN_OR_RETURN(const int axis, ResolveAxis(settings_.axis, x.shape));
    if (x.shape[axis] == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("axis ", axis, " of input ", x.shape.ToString(), " has no elements"));
    }
    return SetOutput(DType::kInt64, ReducedShape(x.shape, Axes(x.shape), settings_.keep), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Reduction reduction(in[0].shape(), Axes(in[0].shape()));
    auto* y = static_cast<int64_t*>(out[0].data());
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto* x = static_cast<const T*>(in[0].data());
      reduction.ForEachResult([&](int64_t first, int64_t at) {
        T best = x[first];
        int64_t best_index = 0;
        int64_t index = 0;
        reduction.ForEachElement(x + first, [&](T candidate) {
          if (Better<T>()(candidate, best) || (candidate != candidate && best == best) ||
              (settings_.last && candidate == best)) {
            best = candidate;
            best_index = index;
          }
          ++index;
        });
        y[at] = best_index;
      });
    });
  }

 private:
  AxisSet Axes(const Shape& shape) const {
    AxisSet axes(static_cast<size_t>(shape.rank()), false);
    axes[static_cast<size_t>(settings_.axis < 0 ? settings_.axis + shape.rank() : settings_.axis)] =
        true;
    return axes;
  }

  const ArgSettings settings_;
};

template <template <typename> class Better>
absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node) {
  const Attributes& attributes = node.attributes;
  if (node.opset < 12) {
    SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"axis", "keepdims"}));
  }
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"axis", "keepdims", "select_last_index"}));
  ArgSettings settings;
  SIGSERVE_ASSIGN_OR_RETURN(settings.axis, attributes.Int("axis", 0));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t keep, attributes.Int("keepdims", 1));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t last, attributes.Int("select_last_index", 0));
  settings.keep = keep != 0;
  settings.last = last != 0;
  return std::make_unique<ArgExtremeOp<Better>>(settings);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeArgMax(const NodeSpec& node,
                                                     absl::Span<const TensorView>) {
  return Make<std::greater>(node);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeArgMin(const NodeSpec& node,
                                                     absl::Span<const TensorView>) {
  return Make<std::less>(node);
}

}  // namespace sigserve
