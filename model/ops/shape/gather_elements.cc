#include "model/ops/core/axes.h"
#include "model/ops/core/indices.h"
#include "model/ops/core/strided.h"
#include "model/ops/core/visit.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

// out[i][j][k] = x[indices[i][j][k]][j][k] for axis 0, and so on.
class GatherElementsOp final : public Op {
 public:
  explicit GatherElementsOp(int64_t axis) : axis_(axis) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& data = in[0].type.shape;
    const Shape& indices = in[1].type.shape;
    SIGSERVE_ASSIGN_OR_RETURN(const int axis, ResolveAxis(axis_, data));
    bool fits = indices.rank() == data.rank();
    for (int i = 0; fits && i < data.rank(); ++i) {
      fits = i == axis || indices[i] <= data[i];
    }
    if (!fits) {
      return absl::InvalidArgumentError(absl::StrCat("input is ", data.ToString(), ", indices are ",
                                                     indices.ToString(),
                                                     ": they reach beyond the input"));
    }
    SIGSERVE_RETURN_IF_ERROR(CheckIndices(in[1], data[axis]));
    return SetOutput(in[0].type.dtype, indices, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& data = in[0].shape();
    const int axis = static_cast<int>(axis_ < 0 ? axis_ + data.rank() : axis_);
    Strides strides = StridesOf(data);
    const int64_t axis_stride = strides[static_cast<size_t>(axis)];
    strides[static_cast<size_t>(axis)] = 0;
    const StridedWalk<1> walk(out[0].shape().dims(), {strides});
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto* x = static_cast<const T*>(in[0].data());
      auto* y = static_cast<T*>(out[0].data());
      walk.ForEach([&](const auto& at, int64_t o) {
        for (int64_t i = 0; i < walk.length(); ++i) {
          const int64_t index = Resolved(IndexAt(in[1], static_cast<size_t>(o + i)), data[axis]);
          y[o + i] =
              index < 0 ? Nothing<T>() : x[at[0] + i * walk.steps()[0] + index * axis_stride];
        }
      });
    });
  }

 private:
  const int64_t axis_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeGatherElements(const NodeSpec& node,
                                                             absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t axis, node.attributes.Int("axis", 0));
  return std::make_unique<GatherElementsOp>(axis);
}

}  // namespace sigserve
