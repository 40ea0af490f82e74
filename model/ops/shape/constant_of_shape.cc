#include <algorithm>
#include <variant>

#include "model/ops/core/axes.h"
#include "model/ops/core/visit.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

class ConstantOfShapeOp final : public Op {
 public:
  explicit ConstantOfShapeOp(std::shared_ptr<const Tensor> value) : value_(std::move(value)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const Integers sizes, KnownIntegers(in[0], "shape"));
    return SetOutput(value_->dtype(), Shape(sizes), out[0]);
  }

  void Forward(absl::Span<const TensorView>, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    VisitWidth(out[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      std::fill_n(static_cast<T*>(out[0].data()), out[0].elements(),
                  *static_cast<const T*>(value_->data()));
    });
  }

 private:
  const std::shared_ptr<const Tensor> value_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeConstantOfShape(const NodeSpec& node,
                                                              absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"value"}));
  const AttributeValue* given = node.attributes.find("value");
  if (given == nullptr) {
    return std::make_unique<ConstantOfShapeOp>(
        std::make_shared<const Tensor>(DType::kFloat32, Shape{1}));
  }
  const auto* value = std::get_if<std::shared_ptr<const Tensor>>(given);
  if (value == nullptr || (*value)->shape().elements() != 1) {
    return absl::InvalidArgumentError("attribute 'value' is not a tensor of one element");
  }
  return std::make_unique<ConstantOfShapeOp>(*value);
}

}  // namespace sigserve
