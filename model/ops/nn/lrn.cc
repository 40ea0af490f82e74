#include <algorithm>

#include "model/ops/nn/makers.h"
#include "model/ops/nn/moments.h"

namespace sigserve {
namespace {

// y = x / (bias + alpha / size * sum of squares over `size` channels around)^beta.
class LrnOp final : public Op {
 public:
  LrnOp(int64_t size, double alpha, double beta, double bias)
      : size_(size), alpha_(alpha), beta_(beta), bias_(bias) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectChannels(in[0]));
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const int64_t channels = shape[1];
    const auto plane = static_cast<int64_t>(PlaneSize(shape));
    const float* x = in[0].values<float>().data();
    float* y = out[0].values<float>().data();
    for (int64_t row = 0; row < shape[0]; ++row) {
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t first = std::max<int64_t>(c - (size_ - 1) / 2, 0);
        const int64_t last = std::min(c + size_ / 2, channels - 1);
        for (int64_t i = 0; i < plane; ++i) {
          double squares = 0;
          for (int64_t j = first; j <= last; ++j) {
            squares += static_cast<double>(x[j * plane + i]) * x[j * plane + i];
          }
          const double base = bias_ + alpha_ / static_cast<double>(size_) * squares;
          y[c * plane + i] = static_cast<float>(x[c * plane + i] / std::pow(base, beta_));
        }
      }
      x += channels * plane;
      y += channels * plane;
    }
  }

 private:
  const int64_t size_;
  const double alpha_;
  const double beta_;
  const double bias_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeLrn(const NodeSpec& node,
                                                  absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown({"alpha", "beta", "bias", "size"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t size, attributes.Int("size", 0));
  if (size < 1 || size > (int64_t{1} << 31)) {
    return absl::InvalidArgumentError(
        absl::StrCat("size is ", size, ", expected a number of channels of at least 1"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(const float alpha, attributes.Float("alpha", 1e-4F));
  SIGSERVE_ASSIGN_OR_RETURN(const float beta, attributes.Float("beta", 0.75F));
  SIGSERVE_ASSIGN_OR_RETURN(const float bias, attributes.Float("bias", 1));
  return std::make_unique<LrnOp>(size, alpha, beta, bias);
}

}  // namespace sigserve
