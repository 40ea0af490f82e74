#include <optional>
#include <vector>

#include "model/ops/core/axes.h"
#include "model/ops/core/copy.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

using OptionalList = std::optional<std::vector<int64_t>>;

// `axes` is an attribute until opset 12, input 1 from 13 on.
class SqueezeOp final : public CopyOp {
 public:
  explicit SqueezeOp(OptionalList axes) : axes_(std::move(axes)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& shape = in[0].type.shape;
    SIGSERVE_ASSIGN_OR_RETURN(const std::optional<Integers> axes, ListOf(axes_, in, 1, "axes"));
    AxisSet drop(static_cast<size_t>(shape.rank()), false);
    if (axes.has_value()) {
      SIGSERVE_ASSIGN_OR_RETURN(drop, ResolveAxes(*axes, shape.rank()));
    }
    Shape squeezed;
    for (int i = 0; i < shape.rank(); ++i) {
      const bool named = drop[static_cast<size_t>(i)];
      if (named && shape[i] != 1) {
        return absl::InvalidArgumentError(absl::StrCat("axis ", i, " of input ", shape.ToString(),
                                                       " has size ", shape[i], ", expected 1"));
      }
      if (!named && (axes.has_value() || shape[i] != 1)) {
        squeezed.push_back(shape[i]);
      }
    }
    out[0] = {in[0].type.dtype, std::move(squeezed)};
    return absl::OkStatus();
  }

 private:
  const OptionalList axes_;
};

class UnsqueezeOp final : public CopyOp {
 public:
  explicit UnsqueezeOp(OptionalList axes) : axes_(std::move(axes)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& shape = in[0].type.shape;
    SIGSERVE_ASSIGN_OR_RETURN(const std::optional<Integers> axes, ListOf(axes_, in, 1, "axes"));
    const int rank = shape.rank() + static_cast<int>(axes->size());
    SIGSERVE_ASSIGN_OR_RETURN(const AxisSet added, ResolveAxes(*axes, rank));
    Shape result;
    int next = 0;
    for (int i = 0; i < rank; ++i) {
      result.push_back(added[static_cast<size_t>(i)] ? 1 : shape[next++]);
    }
    out[0] = {in[0].type.dtype, std::move(result)};
    return absl::OkStatus();
  }

 private:
  const OptionalList axes_;
};

absl::StatusOr<OptionalList> AxesOf(const NodeSpec& node) {
  if (node.opset >= 13) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
    return OptionalList();
  }
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axes"}));
  return OptionalInts(node.attributes, "axes");
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeSqueeze(const NodeSpec& node,
                                                      absl::Span<const TensorView>) {
  SIGSERVE_ASSIGN_OR_RETURN(OptionalList axes, AxesOf(node));
  return std::make_unique<SqueezeOp>(std::move(axes));
}

absl::StatusOr<std::unique_ptr<const Op>> MakeUnsqueeze(const NodeSpec& node,
                                                        absl::Span<const TensorView>) {
  SIGSERVE_ASSIGN_OR_RETURN(OptionalList axes, AxesOf(node));
  if (node.opset < 13 && !axes.has_value()) {
    return absl::InvalidArgumentError("attribute 'axes' is missing");
  }
  return std::make_unique<UnsqueezeOp>(std::move(axes));
}

}  // namespace sigserve
