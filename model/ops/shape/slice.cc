#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "model/ops/core/attribute_error.h"
#include "model/ops/core/axes.h"
#include "model/ops/core/strided.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

using OptionalList = std::optional<std::vector<int64_t>>;

// Python's x[start:end:step] per dimension. The lists are attributes (until opset 9) or inputs.
class SliceOp final : public Op {
 public:
  SliceOp(OptionalList starts, OptionalList ends, OptionalList axes)
      : starts_(std::move(starts)), ends_(std::move(ends)), axes_(std::move(axes)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const auto starts, ListOf(starts_, in, 1, "starts"));
    SIGSERVE_ASSIGN_OR_RETURN(const auto ends, ListOf(ends_, in, 2, "ends"));
    SIGSERVE_ASSIGN_OR_RETURN(const auto axes, ListOf(axes_, in, 3, "axes"));
    SIGSERVE_ASSIGN_OR_RETURN(const auto steps, ListOf(std::nullopt, in, 4, "steps"));
    const size_t n = starts->size();
    if (ends->size() != n || (axes && axes->size() != n) || (steps && steps->size() != n)) {
      return AttributeError(absl::StrCat("starts, ends, axes and steps differ in length: ", n, ", ",
                                         ends->size(), ", ", axes ? axes->size() : n, ", ",
                                         steps ? steps->size() : n));
    }
    Shape shape = in[0].type.shape;
    if (static_cast<int>(n) > shape.rank()) {
      return AttributeError(absl::StrCat("slices ", n, " axes, input is ", shape.ToString()));
    }
    if (axes) {
      SIGSERVE_RETURN_IF_ERROR(ResolveAxes(*axes, shape.rank()).status());
    }
    for (size_t i = 0; i < n; ++i) {
      const int axis = AxisAt(axes, i, shape.rank());
      const int64_t step = steps ? (*steps)[i] : 1;
      if (step == 0) {
        return AttributeError(absl::StrCat("step of axis ", axis, " is 0"));
      }
      shape.set(axis, RangeOf((*starts)[i], (*ends)[i], step, shape[axis]).count);
    }
    out[0] = {in[0].type.dtype, std::move(shape)};
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    Strides strides = StridesOf(shape);
    int64_t offset = 0;
    const Integers starts = List(starts_, in, 1);
    const Integers ends = List(ends_, in, 2);
    const bool has_axes = axes_.has_value() || (in.size() > 3 && in[3].present());
    const std::optional<Integers> axes =
        has_axes ? std::optional<Integers>(List(axes_, in, 3)) : std::nullopt;
    const bool has_steps = in.size() > 4 && in[4].present();
    const Integers steps = has_steps ? List(std::nullopt, in, 4) : Integers(starts.size(), 1);
    for (size_t i = 0; i < starts.size(); ++i) {
      const int axis = AxisAt(axes, i, shape.rank());
      const auto at = static_cast<size_t>(axis);
      offset += RangeOf(starts[i], ends[i], steps[i], shape[axis]).first * strides[at];
      // One element at most is read with a step beyond the size.
      strides[at] *= std::clamp<int64_t>(steps[i], -shape[axis], shape[axis]);
    }
    CopyStrided(in[0], offset, strides, out[0]);
  }

 private:
  struct Range {
    int64_t first;
    int64_t count;
  };

  static Range RangeOf(int64_t start, int64_t end, int64_t step, int64_t size) {
    const bool forward = step > 0;
    const auto bound = [&](int64_t at) {
      at = at < 0 ? at + size : at;
      return std::clamp<int64_t>(at, forward ? 0 : -1, forward ? size : size - 1);
    };
    const int64_t first = bound(start);
    const int64_t last = bound(end);
    const int64_t span = forward ? last - first : first - last;
    if (span <= 0) {
      return {0, 0};
    }
    // No step is longer than the span needs; -INT64_MIN has no int64_t.
    const int64_t stride = forward                                       ? step
                           : step == std::numeric_limits<int64_t>::min() ? span
                                                                         : -step;
    return {first, (span - 1) / stride + 1};
  }

  static int AxisAt(const std::optional<Integers>& axes, size_t i, int rank) {
    const int64_t axis = axes ? (*axes)[i] : static_cast<int64_t>(i);
    return static_cast<int>(axis < 0 ? axis + rank : axis);
  }

  static Integers List(const OptionalList& attribute, absl::Span<const TensorView> in, size_t i) {
    if (attribute.has_value()) {
      return Integers(attribute->begin(), attribute->end());
    }
    if (in[i].dtype() == DType::kInt64) {
      const auto values = in[i].values<int64_t>();
      return Integers(values.begin(), values.end());
    }
    const auto values = in[i].values<int32_t>();
    return Integers(values.begin(), values.end());
  }

  const OptionalList starts_;
  const OptionalList ends_;
  const OptionalList axes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeSlice(const NodeSpec& node,
                                                    absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  if (node.opset >= 10) {
    SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({}));
    return std::make_unique<SliceOp>(std::nullopt, std::nullopt, std::nullopt);
  }
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"axes", "ends", "starts"}));
  SIGSERVE_ASSIGN_OR_RETURN(auto starts, OptionalInts(attributes, "starts"));
  SIGSERVE_ASSIGN_OR_RETURN(auto ends, OptionalInts(attributes, "ends"));
  SIGSERVE_ASSIGN_OR_RETURN(auto axes, OptionalInts(attributes, "axes"));
  if (!starts.has_value() || !ends.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute '", starts.has_value() ? "ends" : "starts", "' is missing"));
  }
  return std::make_unique<SliceOp>(std::move(starts), std::move(ends), std::move(axes));
}

}  // namespace sigserve
