#include "model/ops/core/copy.h"
#include "model/ops/shape/makers.h"

namespace sigserve {
namespace {

class ReshapeOp final : public CopyOp {
 public:
  explicit ReshapeOp(bool allow_zero) : allow_zero_(allow_zero) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    const Operand& target = in[1];
    if (target.type.dtype != DType::kInt64 || target.type.shape.rank() != 1) {
      return absl::InvalidArgumentError(absl::StrCat("shape is ", Name(target.type.dtype), " ",
                                                     target.type.shape.ToString(),
                                                     ", expected one dimension of INT64"));
    }
    if (!target.value.present()) {
      return absl::UnimplementedError(
          "shape is computed by the model: only constants are supported");
    }
    const Shape& from = in[0].type.shape;
    const Shape wanted(target.value.values<int64_t>());
    SIGSERVE_ASSIGN_OR_RETURN(Shape shape, Resolve(from, wanted));
    SIGSERVE_ASSIGN_OR_RETURN(const int64_t bytes, CheckedBytes(shape, SizeOf(in[0].type.dtype)));
    if (bytes != from.elements() * static_cast<int64_t>(SizeOf(in[0].type.dtype))) {
      return Mismatch(from, wanted);
    }
    out[0] = {in[0].type.dtype, std::move(shape)};
    return absl::OkStatus();
  }

 private:
  static absl::Status Mismatch(const Shape& from, const Shape& wanted) {
    return absl::InvalidArgumentError(absl::StrCat("input ", from.ToString(), " has ",
                                                   from.elements(), " elements, which do not fit ",
                                                   wanted.ToString()));
  }

  absl::StatusOr<Shape> Resolve(const Shape& from, const Shape& wanted) const {
    Shape shape = wanted;
    int unknown = -1;
    for (int i = 0; i < shape.rank(); ++i) {
      if (wanted[i] == 0 && !allow_zero_) {
        if (i >= from.rank()) {
          return absl::InvalidArgumentError(absl::StrCat("shape ", wanted.ToString(),
                                                         " copies dimension ", i, " of input ",
                                                         from.ToString(), ", which has none"));
        }
        shape.set(i, from[i]);
      } else if (wanted[i] == -1 && unknown < 0) {
        unknown = i;
        shape.set(i, 1);
      } else if (wanted[i] < 0) {
        return absl::InvalidArgumentError(
            absl::StrCat("shape ", wanted.ToString(),
                         wanted[i] == -1 ? " has more than one -1" : " has a negative size"));
      }
    }
    if (unknown < 0) {
      return shape;
    }
    SIGSERVE_ASSIGN_OR_RETURN(const int64_t known, CheckedBytes(shape, 1));
    if (known == 0 || from.elements() % known != 0) {
      return Mismatch(from, wanted);
    }
    shape.set(unknown, from.elements() / known);
    return shape;
  }

  const bool allow_zero_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeReshape(const NodeSpec& node,
                                                      absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"allowzero"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t allow_zero, node.attributes.Int("allowzero", 0));
  return std::make_unique<ReshapeOp>(allow_zero != 0);
}

}  // namespace sigserve
