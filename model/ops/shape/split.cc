#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <vector>

#include "model/ops/core/attribute_error.h"
#include "model/ops/core/axes.h"
#include "model/ops/core/blocks.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

// Sizes come from the attribute (until opset 12), from input 1 (from 13 on), or are as equal as
// they can be: with `num_outputs` (from 18 on) the last one may be smaller.
class SplitOp final : public Op {
 public:
  SplitOp(int64_t axis, std::optional<std::vector<int64_t>> split, int64_t num_outputs)
      : axis_(axis), split_(std::move(split)), num_outputs_(num_outputs) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& shape = in[0].type.shape;
    SIGSERVE_ASSIGN_OR_RETURN(const int axis, ResolveAxis(axis_, shape));
    SIGSERVE_ASSIGN_OR_RETURN(std::optional<Integers> given, ListOf(split_, in, 1, "split"));
    if (given.has_value() && num_outputs_ > 0) {
      return AttributeError("has both 'split' and 'num_outputs', expected one of them");
    }
    const auto parts = static_cast<int64_t>(out.size());
    if (num_outputs_ > 0 && num_outputs_ != parts) {
      return AttributeError(absl::StrCat("attribute 'num_outputs' is ", num_outputs_,
                                         ", the node has ", parts, " outputs"));
    }
    if (!given.has_value()) {
      SIGSERVE_ASSIGN_OR_RETURN(given, EqualParts(shape[axis], parts));
    } else if (shape[axis] > 0 && std::count(given->begin(), given->end(), 0) > 0) {
      return AttributeError(absl::StrCat("split ", Shape(*given).ToString(),
                                         " leaves nothing of axis ", axis_, " to an output"));
    }
    return SetParts(in[0].type, axis, *given, out);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const int axis = static_cast<int>(axis_ < 0 ? axis_ + shape.rank() : axis_);
    const Blocks from(in[0].dtype(), shape, axis);
    const auto* data = static_cast<const std::byte*>(in[0].data());
    for (const MutableTensorView& y : out) {
      const size_t bytes = Blocks(y.dtype(), y.shape(), axis).count * from.bytes;
      auto* to = static_cast<std::byte*>(y.data());
      for (size_t o = 0; bytes > 0 && o < from.outer; ++o) {
        std::memcpy(to + o * bytes, data + o * from.count * from.bytes, bytes);
      }
      data += bytes;
    }
  }

 private:
  absl::StatusOr<Integers> EqualParts(int64_t size, int64_t parts) const {
    const int64_t part = (size + parts - 1) / parts;
    const int64_t last = size - part * (parts - 1);
    if (last < 0 || (num_outputs_ == 0 && last != part)) {
      return AttributeError(absl::StrCat("axis ", axis_, " has size ", size, ", which ", parts,
                                         " outputs cannot share",
                                         num_outputs_ == 0 ? " equally" : ""));
    }
    Integers sizes(static_cast<size_t>(parts), part);
    sizes.back() = last;
    return sizes;
  }

  absl::Status SetParts(const TensorType& x, int axis, const Integers& sizes,
                        absl::Span<TensorType> out) const {
    int64_t left = x.shape[axis];
    bool fits = sizes.size() == out.size();
    for (const int64_t size : sizes) {
      fits = fits && size >= 0 && size <= left;
      left -= fits ? size : 0;
    }
    if (!fits || left != 0) {
      return AttributeError(absl::StrCat("split ", Shape(sizes).ToString(), " does not share size ",
                                         x.shape[axis], " of axis ", axis_, " among ", out.size(),
                                         " outputs"));
    }
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = x;
      out[i].shape.set(axis, sizes[i]);
    }
    return absl::OkStatus();
  }

  const int64_t axis_;
  const std::optional<std::vector<int64_t>> split_;
  const int64_t num_outputs_;  // 0: not given
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeSplit(const NodeSpec& node,
                                                    absl::Span<const TensorView>) {
  if (node.opset < 13) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis", "split"}));
  } else if (node.opset < 18) {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis"}));
  } else {
    SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis", "num_outputs"}));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t axis, node.attributes.Int("axis", 0));
  SIGSERVE_ASSIGN_OR_RETURN(auto split, OptionalInts(node.attributes, "split"));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t parts, node.attributes.Int("num_outputs", 0));
  if (node.attributes.has("num_outputs") && parts < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'num_outputs' is ", parts, ", expected at least 1"));
  }
  return std::make_unique<SplitOp>(axis, std::move(split), parts);
}

}  // namespace sigserve
