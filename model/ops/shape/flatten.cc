#include "model/ops/core/attribute_error.h"
#include "model/ops/core/copy.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

class FlattenOp final : public CopyOp {
 public:
  explicit FlattenOp(int64_t axis) : axis_(axis) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& shape = in[0].type.shape;
    const int64_t axis = axis_ < 0 ? axis_ + shape.rank() : axis_;
    if (axis < 0 || axis > shape.rank()) {
      return AttributeError(
          absl::StrCat("axis ", axis_, " is out of range for input ", shape.ToString()));
    }
    const auto split = static_cast<size_t>(axis);
    const Shape outer(shape.dims().subspan(0, split));
    const Shape inner(shape.dims().subspan(split));
    SIGSERVE_RETURN_IF_ERROR(CheckedBytes(outer, 1).status());
    SIGSERVE_RETURN_IF_ERROR(CheckedBytes(inner, 1).status());
    return SetOutput(in[0].type.dtype, Shape{outer.elements(), inner.elements()}, out[0]);
  }

 private:
  const int64_t axis_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeFlatten(const NodeSpec& node,
                                                      absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t axis, node.attributes.Int("axis", 1));
  return std::make_unique<FlattenOp>(axis);
}

}  // namespace sigserve
