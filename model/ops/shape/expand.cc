#include "model/ops/core/axes.h"
#include "model/ops/core/broadcast.h"
#include "model/ops/core/strided.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

// Broadcasts the input and input 1's sizes with each other: sizes of 1 keep the input's.
class ExpandOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const Integers sizes, KnownIntegers(in[1], "shape"));
    const Shape wanted(sizes);
    SIGSERVE_RETURN_IF_ERROR(CheckedBytes(wanted, 1).status());
    SIGSERVE_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(in[0].type.shape, wanted));
    return SetOutput(in[0].type.dtype, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    CopyStrided(in[0], 0, BroadcastStrides(in[0].shape(), out[0].shape()), out[0]);
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeExpand(const NodeSpec& node,
                                                     absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<ExpandOp>();
}

}  // namespace sigserve
