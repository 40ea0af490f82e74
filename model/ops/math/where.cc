#include "model/ops/core/broadcast.h"
#include "model/ops/core/strided.h"
#include "model/ops/core/visit.h"
#include "model/ops/math/makers.h"

namespace sigserve {
namespace {

// Input 1 where input 0 is true, input 2 elsewhere; all three broadcast.
class WhereOp final : public Op {
 public:
  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    if (in[0].type.dtype != DType::kBool) {
      return absl::InvalidArgumentError(
          absl::StrCat("condition is ", Name(in[0].type.dtype), ", expected BOOL"));
    }
    if (in[1].type.dtype != in[2].type.dtype) {
      return absl::InvalidArgumentError(absl::StrCat("X is ", Name(in[1].type.dtype), ", Y is ",
                                                     Name(in[2].type.dtype),
                                                     ": they must be of one type"));
    }
    SIGSERVE_ASSIGN_OR_RETURN(const Shape values,
                              BroadcastShape(in[1].type.shape, in[2].type.shape));
    SIGSERVE_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(in[0].type.shape, values));
    return SetOutput(in[1].type.dtype, std::move(shape), out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = out[0].shape();
    const Strides condition = BroadcastStrides(in[0].shape(), shape);
    const Strides x = BroadcastStrides(in[1].shape(), shape);
    const Strides y = BroadcastStrides(in[2].shape(), shape);
    const StridedWalk<3> walk(shape.dims(), {condition, x, y});
    const auto [c_step, x_step, y_step] = walk.steps();
    const auto* c = static_cast<const bool*>(in[0].data());
    VisitWidth(out[0].dtype(), [&, cs = c_step, xs = x_step, ys = y_step](auto tag) {
      using T = typename decltype(tag)::type;
      const auto* a = static_cast<const T*>(in[1].data());
      const auto* b = static_cast<const T*>(in[2].data());
      auto* to = static_cast<T*>(out[0].data());
      walk.ForEach([&](const auto& at, int64_t o) {
        for (int64_t i = 0; i < walk.length(); ++i) {
          const T yes = a[at[1] + i * xs];
          const T no = b[at[2] + i * ys];
          to[o + i] = c[at[0] + i * cs] ? yes : no;
        }
      });
    });
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeWhere(const NodeSpec& node,
                                                    absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({}));
  return std::make_unique<WhereOp>();
}

}  // namespace sigserve
