#include "model/ops/core/attribute_error.h"
#include "model/ops/nn/makers.h"
#include "model/ops/nn/moments.h"

namespace sigserve {
namespace {

class BatchNormalizationOp final : public Op {
 public:
  explicit BatchNormalizationOp(float epsilon) : epsilon_(epsilon) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    static constexpr absl::string_view kNames[] = {"X", "scale", "B", "mean", "var"};
    if (out.size() > 1) {  // how training_mode was asked for until opset 13
      return absl::UnimplementedError(
          absl::StrCat("has ", out.size(), " outputs: only inference is supported"));
    }
    SIGSERVE_RETURN_IF_ERROR(ExpectChannels(in[0]));
    for (size_t i = 1; i < 5; ++i) {
      SIGSERVE_RETURN_IF_ERROR(ExpectVector(in[i], kNames[i], in[0].type.shape[1]));
    }
    if (in[4].value.present()) {
      for (const float variance : in[4].value.values<float>()) {
        if (!(variance >= 0)) {
          return AttributeError(
              absl::StrCat("var has ", variance, ", expected numbers of at least 0"));
        }
      }
    }
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const float* x = in[0].values<float>().data();
    const float* scale = in[1].values<float>().data();
    const float* bias = in[2].values<float>().data();
    const float* mean = in[3].values<float>().data();
    const float* variance = in[4].values<float>().data();
    float* y = out[0].values<float>().data();
    const size_t size = PlaneSize(shape);
    for (int64_t row = 0; row < shape[0]; ++row) {
      for (int64_t c = 0; c < shape[1]; ++c) {
        const double factor = scale[c] / std::sqrt(static_cast<double>(variance[c]) + epsilon_);
        Rescale(x, size, factor, bias[c] - mean[c] * factor, y);
        x += size;
        y += size;
      }
    }
  }

  MemoryUse memory_use() const override { return MemoryUse::kInPlace; }

 private:
  const float epsilon_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeBatchNormalization(const NodeSpec& node,
                                                                 absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(
      attributes.CheckKnown({"epsilon", "momentum", "spatial", "training_mode"}));
  SIGSERVE_ASSIGN_OR_RETURN(const float epsilon, ReadEpsilon(attributes));
  SIGSERVE_RETURN_IF_ERROR(attributes.Float("momentum", 0.9F).status());
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t spatial, attributes.Int("spatial", 1));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t training, attributes.Int("training_mode", 0));
  if (training != 0) {
    return absl::UnimplementedError(
        absl::StrCat("training_mode is ", training, ": only inference is supported"));
  }
  if (spatial != 1) {
    return absl::UnimplementedError(absl::StrCat("spatial is ", spatial, ", supported is 1"));
  }
  return std::make_unique<BatchNormalizationOp>(epsilon);
}

}  // namespace sigserve
