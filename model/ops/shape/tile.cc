#include "model/ops/core/axes.h"
#include "model/ops/core/strided.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

// Dimension i is repeated repeats[i] times.
class TileOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    Shape shape = in[0].type.shape;
    SIGSERVE_ASSIGN_OR_RETURN(const Integers repeats, KnownIntegers(in[1], "repeats"));
    if (static_cast<int>(repeats.size()) != shape.rank()) {
      return absl::InvalidArgumentError(
          absl::StrCat("has ", repeats.size(), " repeats, input is ", shape.ToString()));
    }
    for (int i = 0; i < shape.rank(); ++i) {
      const int64_t times = repeats[static_cast<size_t>(i)];
      SIGSERVE_RETURN_IF_ERROR(CheckedBytes(Shape{shape[i], times}, 1).status());
      shape.set(i, shape[i] * times);
    }
    return SetOutput(in[0].type.dtype, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    if (out[0].elements() == 0) {
      return;
    }
    // Each dimension as two: which repetition (no step), then where in the input.
    const Strides own = StridesOf(in[0].shape());
    Shape sizes;
    Strides strides;
    for (int i = 0; i < in[0].shape().rank(); ++i) {
      sizes.push_back(out[0].shape()[i] / in[0].shape()[i]);
      strides.push_back(0);
      sizes.push_back(in[0].shape()[i]);
      strides.push_back(own[static_cast<size_t>(i)]);
    }
    CopyStrided(in[0], 0, strides, MutableTensorView(out[0].dtype(), sizes, out[0].data()));
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeTile(const NodeSpec& node,
                                                   absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<TileOp>();
}

}  // namespace sigserve
