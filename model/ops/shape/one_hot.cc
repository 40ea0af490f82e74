#include <algorithm>
#include <cmath>

#include "model/ops/core/attribute_error.h"
#include "model/ops/core/indices.h"
#include "model/ops/core/visit.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

double NumberAt(const TensorView& tensor, int64_t i) {
  return VisitDType(tensor.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return static_cast<double>(static_cast<const T*>(tensor.data())[i]);
  });
}

// A new dimension of size `depth`, all values[0] but values[1] where the index says; an index out
// of range marks nothing.
class OneHotOp final : public Op {
 public:
  explicit OneHotOp(int64_t axis) : axis_(axis) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    if (in[0].type.dtype == DType::kBool || in[1].type.dtype == DType::kBool) {
      return absl::InvalidArgumentError("indices or depth are BOOL, expected numbers");
    }
    if (in[1].type.shape.elements() != 1 || in[2].type.shape != Shape{2}) {
      return absl::InvalidArgumentError(absl::StrCat("depth is ", in[1].type.shape.ToString(),
                                                     ", values are ", in[2].type.shape.ToString(),
                                                     ", expected one and two numbers"));
    }
    if (!in[1].value.present()) {
      return absl::UnimplementedError(
          "depth depends on the values of the inputs: only constants and shapes are supported");
    }
    const double depth = NumberAt(in[1].value, 0);
    if (!(depth >= 0 && depth < 0x1p40)) {
      return absl::InvalidArgumentError(absl::StrCat("depth is ", depth, ", expected a size"));
    }
    const Shape& indices = in[0].type.shape;
    const int64_t rank = indices.rank() + 1;
    if (axis_ < -rank || axis_ >= rank) {
      return AttributeError(
          absl::StrCat("axis ", axis_, " is out of range for ", rank, " dimensions"));
    }
    Shape shape;
    for (int i = 0; i < indices.rank() + 1; ++i) {
      const int axis = Axis(rank);
      shape.push_back(i == axis ? static_cast<int64_t>(depth) : indices[i < axis ? i : i - 1]);
    }
    return SetOutput(in[2].type.dtype, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = out[0].shape();
    const int axis = Axis(shape.rank());
    const int64_t depth = shape[axis];
    int64_t inner = 1;
    for (int i = axis + 1; i < shape.rank(); ++i) {
      inner *= shape[i];
    }
    VisitWidth(out[0].dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      const auto* values = static_cast<const T*>(in[2].data());
      auto* y = static_cast<T*>(out[0].data());
      std::fill_n(y, out[0].elements(), values[0]);
      const int64_t n = depth == 0 ? 0 : in[0].elements();
      for (int64_t i = 0; i < n; ++i) {
        const double index = std::trunc(NumberAt(in[0], i));
        if (!(index >= -static_cast<double>(depth) && index < static_cast<double>(depth))) {
          continue;
        }
        const int64_t at = Resolved(static_cast<int64_t>(index), depth);
        y[(i / inner * depth + at) * inner + i % inner] = values[1];
      }
    });
  }

 private:
  int Axis(int64_t rank) const { return static_cast<int>(axis_ < 0 ? axis_ + rank : axis_); }

  const int64_t axis_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeOneHot(const NodeSpec& node,
                                                     absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"axis"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t axis, node.attributes.Int("axis", -1));
  return std::make_unique<OneHotOp>(axis);
}

}  // namespace sigserve
