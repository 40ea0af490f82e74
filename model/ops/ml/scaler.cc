#include "model/ops/ml/makers.h"
#include "model/ops/ml/numbers.h"

namespace sigserve {
namespace {

// y = (x - offset) * scale, per feature or with one number for all.
class ScalerOp final : public Op {
 public:
  ScalerOp(std::vector<float> offset, std::vector<float> scale)
      : offset_(std::move(offset)), scale_(std::move(scale)) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const RowShape rows, RowsOf(in[0]));
    const auto columns = static_cast<size_t>(rows.columns);
    for (const auto& [name, size] :
         {std::pair("offset", offset_.size()), std::pair("scale", scale_.size())}) {
      if (size != 1 && size != columns) {
        return absl::InvalidArgumentError(
            absl::StrCat(name, " has ", size, " numbers, the input has ", columns, " features"));
      }
    }
    return SetOutput(DType::kFloat32, in[0].type.shape, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const Shape& shape = in[0].shape();
    const auto columns = static_cast<size_t>(shape[shape.rank() - 1]);
    float* y = out[0].values<float>().data();
    VisitNumbers(in[0], [&](auto x) {
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t c = i % columns;
        y[i] = static_cast<float>((x[i] - offset_[offset_.size() == 1 ? 0 : c]) *
                                  scale_[scale_.size() == 1 ? 0 : c]);
      }
    });
  }

 private:
  const std::vector<float> offset_;
  const std::vector<float> scale_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeScaler(const NodeSpec& node,
                                                     absl::Span<const TensorView>) {
  SIGSERVE_RETURN_IF_ERROR(node.attributes.CheckKnown({"offset", "scale"}));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<float> offset, node.attributes.Floats("offset", {0}));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<float> scale, node.attributes.Floats("scale", {1}));
  return std::make_unique<ScalerOp>(std::move(offset), std::move(scale));
}

}  // namespace sigserve
