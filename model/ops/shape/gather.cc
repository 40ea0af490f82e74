#include <algorithm>

#include "model/ops/core/axes.h"
#include "model/ops/core/blocks.h"
#include "model/ops/core/indices.h"
#include "model/ops/core/visit.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

// numpy.take: slices of input 0 along `axis`, as input 1 numbers them.
class GatherOp final : public Op {
 public:
  explicit GatherOp(int64_t axis) : axis_(axis) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& data = in[0].type.shape;
    const Shape& indices = in[1].type.shape;
    SIGSERVE_ASSIGN_OR_RETURN(const int axis, ResolveAxis(axis_, data));
    SIGSERVE_RETURN_IF_ERROR(CheckIndices(in[1], data[axis]));
    Shape shape;
    for (int i = 0; i < data.rank(); ++i) {
      if (i != axis) {
        shape.push_back(data[i]);
        continue;
      }
      for (const int64_t size : indices.dims()) {
        shape.push_back(size);
      }
    }
    return SetOutput(in[0].type.dtype, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    if (out[0].elements() == 0) {
      return;
    }
    const Shape& shape = in[0].shape();
    const int axis = static_cast<int>(axis_ < 0 ? axis_ + shape.rank() : axis_);
    const Blocks blocks(in[0].dtype(), shape, axis);
    const auto count = static_cast<size_t>(in[1].elements());
    VisitDType(in[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto* x = static_cast<const T*>(in[0].data());
      auto* y = static_cast<T*>(out[0].data());
      const size_t length = blocks.bytes / sizeof(T);
      for (size_t o = 0; o < blocks.outer; ++o) {
        for (size_t i = 0; i < count; ++i, y += length) {
          const int64_t at = Resolved(IndexAt(in[1], i), shape[axis]);
          if (at < 0) {
            std::fill_n(y, length, Nothing<T>());
          } else {
            std::copy_n(x + (o * blocks.count + static_cast<size_t>(at)) * length, length, y);
          }
        }
      }
    });
  }

 private:
  const int64_t axis_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeGather(const NodeSpec& node,
                                                     absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t axis, node.attributes.Int("axis", 0));
  return std::make_unique<GatherOp>(axis);
}

}  // namespace sigserve
