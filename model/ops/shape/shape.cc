#include <algorithm>
#include <limits>

#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

// Sizes of dimensions start to end - 1 (all, before opset 15).
class ShapeOp final : public Op {
 public:
  ShapeOp(int64_t start, int64_t end) : start_(start), end_(end) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const int64_t rank = in[0].type.shape.rank();
    out[0] = {DType::kInt64, Shape{std::max<int64_t>(0, Bound(end_, rank) - Bound(start_, rank))}};
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const auto dims = in[0].shape().dims();
    const int64_t first = Bound(start_, static_cast<int64_t>(dims.size()));
    std::copy_n(dims.begin() + first, out[0].elements(), static_cast<int64_t*>(out[0].data()));
  }

 private:
  static int64_t Bound(int64_t at, int64_t rank) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  }

  const int64_t start_;
  const int64_t end_;
};

class SizeOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand>, absl::Span<TensorType> out) const override {
    out[0] = {DType::kInt64, Shape{}};
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    *static_cast<int64_t*>(out[0].data()) = in[0].elements();
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeShape(const NodeSpec& node,
                                                    absl::Span<const TensorView>) {
  if (node.opset < 15) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  }
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"end", "start"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t start, node.attributes.Int("start", 0));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t end,
                            node.attributes.Int("end", std::numeric_limits<int64_t>::max()));
  return std::make_unique<ShapeOp>(start, end);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeSize(const NodeSpec& node,
                                                   absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<SizeOp>();
}

}  // namespace sigserve
