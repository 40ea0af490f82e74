#include "model/ops/core/copy.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

class IdentityOp final : public CopyOp {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    out[0] = in[0].type;
    return absl::OkStatus();
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeIdentity(const NodeSpec& node,
                                                       absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<IdentityOp>();
}

}  // namespace sigserve
