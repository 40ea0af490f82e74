#include <optional>
#include <vector>

#include "model/ops/core/axes.h"
#include "model/ops/core/strided.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

// Output dimension i is input dimension perm[i]; without `perm`, dimensions are reversed.
class TransposeOp final : public Op {
 public:
  explicit TransposeOp(std::optional<std::vector<int64_t>> perm) : perm_(std::move(perm)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Shape& shape = in[0].type.shape;
    if (perm_.has_value()) {
      if (static_cast<int>(perm_->size()) != shape.rank()) {
        return absl::InvalidArgumentError(absl::StrCat("attribute 'perm' has ", perm_->size(),
                                                       " axes, input is ", shape.ToString()));
      }
      SIGSERVE_RETURN_IF_ERROR(ResolveAxes(*perm_, shape.rank()).status());
    }
    Shape transposed;
    for (int i = 0; i < shape.rank(); ++i) {
      transposed.push_back(shape[From(i, shape.rank())]);
    }
    out[0] = {in[0].type.dtype, std::move(transposed)};
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const Strides own = StridesOf(shape);
    Strides strides;
    for (int i = 0; i < shape.rank(); ++i) {
      strides.push_back(own[static_cast<size_t>(From(i, shape.rank()))]);
    }
    CopyStrided(in[0], 0, strides, out[0]);
  }

 private:
  int From(int i, int rank) const {
    if (!perm_.has_value()) {
      return rank - 1 - i;
    }
    const int64_t axis = (*perm_)[static_cast<size_t>(i)];
    return static_cast<int>(axis < 0 ? axis + rank : axis);
  }

  const std::optional<std::vector<int64_t>> perm_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeTranspose(const NodeSpec& node,
                                                        absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"perm"}));
  SIGSERVE_ASSIGN_OR_RETURN(auto perm, OptionalInts(node.attributes, "perm"));
  return std::make_unique<TransposeOp>(std::move(perm));
}

}  // namespace sigserve
