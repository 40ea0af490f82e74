#include "model/ops/core/attribute_error.h"
#include "model/ops/core/floats.h"
#include "model/ops/core/softmax_row.h"
#include "model/ops/nn/makers.h"

namespace sigserve {
namespace {

class SoftmaxOp final : public Op {
 public:
  SoftmaxOp(bool logarithm, const SoftmaxAxis& axis) : logarithm_(logarithm), axis_(axis) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_RETURN_IF_ERROR(ExpectFloat(in[0], "input"));
    const int rank = in[0].type.shape.rank();
    if (axis_.axis < -rank || axis_.axis >= rank) {
      return AttributeError(absl::StrCat("axis ", axis_.axis, " is out of range for input ",
                                         in[0].type.shape.ToString()));
    }
    out[0] = in[0].type;
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    if (out[0].dtype() == DType::kFloat32) {
      Run<float>(in[0], out[0]);
    } else {
      Run<double>(in[0], out[0]);
    }
  }

 private:
  template <typename T>
  void Run(const TensorView& in, const MutableTensorView& out) const {
    const auto run = logarithm_ ? LogSoftmaxRow<T> : SoftmaxRow<T>;
    const T* x = in.values<T>().data();
    T* y = out.values<T>().data();
    axis_.ForEachRow(in.shape(), [&](size_t begin, size_t count, size_t stride) {
      run(x + begin, count, stride, y + begin);
    });
  }

  const bool logarithm_;
  const SoftmaxAxis axis_;
};

absl::StatusOr<std::unique_ptr<const Op>> Make(const NodeSpec& node, bool logarithm) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis"}));
  SIGSERVE_ASSIGN_OR_RETURN(const SoftmaxAxis axis, ReadSoftmaxAxis(node));
  return std::make_unique<SoftmaxOp>(logarithm, axis);
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
