#include <vector>

#include "model/ops/core/weights.h"
#include "model/ops/ml/makers.h"
#include "model/ops/ml/numbers.h"
#include "model/ops/ml/post_transform.h"

namespace sigserve {
namespace {

// y = transform(x * coefficients' + intercepts), a row of coefficients per target.
class LinearRegressorOp final : public Op {
 public:
  LinearRegressorOp(const Tensor& coefficients, std::vector<float> intercepts,
                    PostTransform transform)
      : targets_(coefficients.shape()[0]),
        features_(coefficients.shape()[1]),
        weights_(coefficients.view(), true),
        intercepts_(std::move(intercepts)),
        transform_(transform) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const RowShape x, RowsOf(in[0]));
    if (x.columns != features_) {
      return absl::InvalidArgumentError(
          absl::StrCat("left has ", x.columns, " columns, right has ", features_, " rows"));
    }
    return SetOutput(DType::kFloat32, Shape{x.rows, targets_}, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    std::vector<float> converted;
    const auto* data = static_cast<const float*>(in[0].data());
    if (in[0].dtype() != DType::kFloat32) {
      VisitNumbers(in[0], [&](auto x) { converted.assign(x.begin(), x.end()); });
      data = converted.data();
    }
    kernels::GemmEpilogue epilogue;
    epilogue.bias = intercepts_.empty() ? nullptr : intercepts_.data();
    const absl::Span<float> y = out[0].values<float>();
    weights_.Multiply(kernels::MatrixView::RowMajor(data, static_cast<size_t>(out[0].shape()[0]),
                                                    static_cast<size_t>(features_)),
                      epilogue, y.data());
    ApplyPostTransform(transform_, y, static_cast<size_t>(targets_));
  }

 private:
  const int64_t targets_;
  const int64_t features_;
  const Weights weights_;
  const std::vector<float> intercepts_;
  const PostTransform transform_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeLinearRegressor(const NodeSpec& node,
                                                              absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(
      attributes.CheckKnown({"coefficients", "intercepts", "post_transform", "targets"}));
  SIGSERVE_ASSIGN_OR_RETURN(const auto coefficients, attributes.Floats("coefficients"));
  SIGSERVE_ASSIGN_OR_RETURN(auto intercepts, attributes.Floats("intercepts"));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t targets, attributes.Int("targets", 1));
  SIGSERVE_ASSIGN_OR_RETURN(const PostTransform transform, PostTransformOf(attributes));
  const auto count = static_cast<int64_t>(coefficients.size());
  if (targets < 1 || count == 0 || count % targets != 0) {
    return absl::InvalidArgumentError(absl::StrCat("has ", count, " coefficients for ", targets,
                                                   " targets, expected a positive multiple"));
  }
  if (!intercepts.empty() && static_cast<int64_t>(intercepts.size()) != targets) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", intercepts.size(), " intercepts for ", targets, " targets"));
  }
  return std::make_unique<LinearRegressorOp>(
      Tensor::Of<float>(Shape{targets, count / targets}, absl::MakeConstSpan(coefficients)),
      std::move(intercepts), transform);
}

}  // namespace sigserve
