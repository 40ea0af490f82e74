#include <algorithm>

#include "model/ops/core/copy.h"
#include "model/ops/nn/makers.h"

namespace sigserve {
namespace {

// At inference nothing is dropped: the output is the input and the mask keeps everything.
class DropoutOp final : public CopyOp {
 public:
  explicit DropoutOp(int opset) : mask_is_float_(opset < 10) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    if (in.size() > 2 && in[2].present) {
      const TensorView& training = in[2].value;
      if (in[2].type.dtype != DType::kBool || in[2].type.shape.elements() != 1) {
        return absl::InvalidArgumentError("training_mode is not one BOOL");
      }
      if (!training.present() || *static_cast<const bool*>(training.data())) {
        return absl::UnimplementedError("training_mode is not a constant false");
      }
    }
    out[0] = in[0].type;
    if (out.size() > 1) {
      out[1] = {mask_is_float_ ? DType::kFloat32 : DType::kBool, in[0].type.shape};
    }
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    CopyOp::Forward(in, out, Workspace());
    if (out.size() > 1 && mask_is_float_) {
      std::fill_n(static_cast<float*>(out[1].data()), out[1].elements(), 1.0F);
    } else if (out.size() > 1) {
      std::fill_n(static_cast<bool*>(out[1].data()), out[1].elements(), true);
    }
  }

 private:
  const bool mask_is_float_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeDropout(const NodeSpec& node,
                                                      absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"ratio", "seed"}));
  SIGSERVE_RETURN_IF_ERROR(node.attributes.Float("ratio", 0.5F).status());
  return std::make_unique<DropoutOp>(node.opset);
}

}  // namespace sigserve
