#include <cstring>

#include "model/ops/core/axes.h"
#include "model/ops/core/blocks.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

class ConcatOp final : public Op {
 public:
  explicit ConcatOp(int64_t axis) : axis_(axis) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const TensorType& first = in[0].type;
    SIGSERVE_ASSIGN_OR_RETURN(const int axis, ResolveAxis(axis_, first.shape));
    Shape shape = first.shape;
    for (size_t i = 1; i < in.size(); ++i) {
      if (!in[i].present) {
        return absl::InvalidArgumentError(absl::StrCat("input ", i, " is missing"));
      }
      const TensorType& next = in[i].type;
      Shape expected = next.shape;
      if (expected.rank() == shape.rank()) {
        expected.set(axis, shape[axis]);
      }
      if (expected != shape || next.dtype != first.dtype) {
        return absl::InvalidArgumentError(
            absl::StrCat("input 0 is ", Name(first.dtype), " ", first.shape.ToString(), ", input ",
                         i, " is ", Name(next.dtype), " ", next.shape.ToString(),
                         ": they may differ in axis ", axis, " only"));
      }
      shape.set(axis, shape[axis] + next.shape[axis]);
      SIGSERVE_RETURN_IF_ERROR(CheckedBytes(shape, SizeOf(first.dtype)).status());
    }
    return SetOutput(first.dtype, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = out[0].shape();
    const int axis = static_cast<int>(axis_ < 0 ? axis_ + shape.rank() : axis_);
    const Blocks to(out[0].dtype(), shape, axis);
    auto* data = static_cast<std::byte*>(out[0].data());
    for (const TensorView& x : in) {
      const Blocks from(x.dtype(), x.shape(), axis);
      const auto* source = static_cast<const std::byte*>(x.data());
      const size_t bytes = from.count * from.bytes;
      for (size_t o = 0; bytes > 0 && o < from.outer; ++o) {
        std::memcpy(data + o * to.count * to.bytes, source + o * bytes, bytes);
      }
      data += bytes;
    }
  }

 private:
  const int64_t axis_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeConcat(const NodeSpec& node,
                                                     absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis"}));
  if (!node.attributes.has("axis")) {
    return absl::InvalidArgumentError("attribute 'axis' is missing");
  }
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t axis, node.attributes.Int("axis", 0));
  return std::make_unique<ConcatOp>(axis);
}

}  // namespace sigserve
