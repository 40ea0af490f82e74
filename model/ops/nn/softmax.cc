#include <cmath>

#include "model/ops/core/attribute_error.h"
#include "model/ops/core/floats.h"
#include "model/ops/core/softmax_row.h"
#include "model/ops/nn/makers.h"

namespace sigserve {
namespace {

// Until opset 12 all dimensions from `axis` on are one row; from 13 on only `axis` itself is.
class SoftmaxOp final : public Op {
 public:
  SoftmaxOp(bool logarithm, int64_t axis, bool flattens)
      : logarithm_(logarithm), axis_(axis), flattens_(flattens) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat(in[0], "input"));
    const int rank = in[0].type.shape.rank();
    if (axis_ < -rank || axis_ >= rank) {
      return AttributeError(
          absl::StrCat("axis ", axis_, " is out of range for input ", in[0].type.shape.ToString()));
    }
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in,
               absl::Span<const MutableTensorView> out) const override {
    if (out[0].dtype() == DType::kFloat32) {
      Run<float>(in[0], out[0]);
    } else {
      Run<double>(in[0], out[0]);
    }
  }

  bool differentiable() const override { return true; }

  void Backward(absl::Span<const TensorView> in, absl::Span<const TensorView> out,
                absl::Span<const TensorView> grad_out,
                absl::Span<const MutableTensorView> grad_in) const override {
    if (!grad_in[0].present()) {
      return;
    }
    const float* y = out[0].values<float>().data();
    const float* g = grad_out[0].values<float>().data();
    float* dx = grad_in[0].values<float>().data();
    ForEachRow(in[0].shape(), [&](size_t begin, size_t count, size_t stride) {
      double sum = 0;  // of g y, or of g
      for (size_t j = begin; j < begin + count * stride; j += stride) {
        sum += static_cast<double>(g[j]) * (logarithm_ ? 1 : y[j]);
      }
      for (size_t j = begin; j < begin + count * stride; j += stride) {
        dx[j] += static_cast<float>(logarithm_ ? g[j] - std::exp(y[j]) * sum : y[j] * (g[j] - sum));
      }
    });
  }

 private:
  template <typename T>
  void Run(const TensorView& in, const MutableTensorView& out) const {
    const auto run = logarithm_ ? LogSoftmaxRow<T> : SoftmaxRow<T>;
    const T* x = in.values<T>().data();
    T* y = out.values<T>().data();
    ForEachRow(in.shape(), [&](size_t begin, size_t count, size_t stride) {
      run(x + begin, count, stride, y + begin);
    });
  }

  template <typename F>
  void ForEachRow(const Shape& shape, F f) const {
    const int axis = static_cast<int>(axis_ < 0 ? axis_ + shape.rank() : axis_);
    size_t outer = 1;
    size_t count = 1;
    size_t stride = 1;
    for (int i = 0; i < shape.rank(); ++i) {
      const bool in_row = i == axis || (flattens_ && i > axis);
      (i < axis ? outer : in_row ? count : stride) *= static_cast<size_t>(shape[i]);
    }
    for (size_t o = 0; count > 0 && o < outer; ++o) {
      for (size_t s = 0; s < stride; ++s) {
        f(o * count * stride + s, count, stride);
      }
    }
  }

  const bool logarithm_;
  const int64_t axis_;
  const bool flattens_;
};

absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node, bool logarithm) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis"}));
  const bool flattens = node.opset < 13;
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t axis, node.attributes.Int("axis", flattens ? 1 : -1));
  return std::make_unique<SoftmaxOp>(logarithm, axis, flattens);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeSoftmax(const NodeSpec& node,
                                                      absl::Span<const TensorView>) {
  return Make(node, false);
}

absl::StatusOr<std::unique_ptr<const Op>> MakeLogSoftmax(const NodeSpec& node,
                                                         absl::Span<const TensorView>) {
  return Make(node, true);
}

}  // namespace sigserve
