#include <algorithm>
#include <vector>

#include "model/ops/core/weights.h"
#include "model/ops/ml/makers.h"
#include "model/ops/ml/numbers.h"
#include "model/ops/ml/post_transform.h"

namespace sigserve {
namespace {

// Scores = x * coefficients' + intercepts, then a label and the transformed scores per row. Where
// the definition is silent this does as onnxruntime does: labels come from the scores before the
// transform, and a single row of coefficients for two labels gives the scores [1 - s, s],
// untransformed.
class LinearClassifierOp final : public Op {
 public:
  LinearClassifierOp(const Tensor& coefficients, std::vector<float> intercepts,
                     std::vector<int64_t> labels, PostTransform transform)
      : classes_(coefficients.shape()[0]),
        features_(coefficients.shape()[1]),
        weights_(coefficients.view(), true),
        intercepts_(std::move(intercepts)),
        labels_(std::move(labels)),
        transform_(transform) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const RowShape x, RowsOf(in[0]));
    if (x.columns != features_) {
      return absl::InvalidArgumentError(
          absl::StrCat("left has ", x.columns, " columns, right has ", features_, " rows"));
    }
    out[0] = {DType::kInt64, Shape{x.rows}};
    if (out.size() > 1) {
      return SetOutput(DType::kFloat32, Shape{x.rows, columns()}, out[1]);
    }
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace) const override {
    const auto rows = static_cast<size_t>(out[0].elements());
    std::vector<float> own_scores;  // when the scores are not an output
    if (out.size() < 2) {
      own_scores.resize(rows * static_cast<size_t>(columns()));
    }
    float* scores = out.size() < 2 ? own_scores.data() : out[1].values<float>().data();
    Score(in[0], rows, scores);
    Label(scores, out[0].values<int64_t>());
    Transform(scores, rows);
  }

 private:
  bool adds_class() const { return classes_ == 1 && labels_.size() == 2; }
  int64_t columns() const { return adds_class() ? 2 : classes_; }

  void Score(const TensorView& x, size_t rows, float* scores) const {
    std::vector<float> converted;
    const auto* data = static_cast<const float*>(x.data());
    if (x.dtype() != DType::kFloat32) {
      VisitNumbers(x, [&](auto values) { converted.assign(values.begin(), values.end()); });
      data = converted.data();
    }
    kernels::GemmEpilogue epilogue;
    epilogue.bias = intercepts_.empty() ? nullptr : intercepts_.data();
    weights_.Multiply(kernels::MatrixView::RowMajor(data, rows, static_cast<size_t>(features_)),
                      epilogue, scores);
  }

  void Label(const float* scores, absl::Span<int64_t> labels) const {
    const auto classes = static_cast<size_t>(classes_);
    for (size_t row = 0; row < labels.size(); ++row) {
      const float* s = scores + row * classes;
      if (classes == 1) {
        const bool named = labels_.size() == 2;
        labels[row] = *s > 0 ? (named ? labels_[1] : 1) : (named ? labels_[0] : 0);
      } else {
        labels[row] = labels_[static_cast<size_t>(std::max_element(s, s + classes) - s)];
      }
    }
  }

  void Transform(float* scores, size_t rows) const {
    const auto classes = static_cast<size_t>(classes_);
    if (classes == 1) {
      for (size_t row = rows; adds_class() && row-- > 0;) {  // from the end: in place
        const float s = scores[row];
        scores[2 * row] = 1 - s;
        scores[2 * row + 1] = s;
      }
      return;
    }
    ApplyPostTransform(transform_, {scores, rows * classes}, classes);
  }

  const int64_t classes_;  // rows of coefficients
  const int64_t features_;
  const Weights weights_;
  const std::vector<float> intercepts_;
  const std::vector<int64_t> labels_;
  const PostTransform transform_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeLinearClassifier(const NodeSpec& node,
                                                               absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(
      attributes.CheckKnown({"classlabels_ints", "classlabels_strings", "coefficients",
                             "intercepts", "multi_class", "post_transform"}));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<int64_t> labels,
                            ClassLabels(attributes, "classlabels_ints"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto coefficients, attributes.Floats("coefficients"));
  SIGSERVE_ASSIGN_OR_RETURN(auto intercepts, attributes.Floats("intercepts"));
  SIGSERVE_RETURN_IF_ERROR(attributes.Int("multi_class", 0).status());
  SIGSERVE_ASSIGN_OR_RETURN(const PostTransform transform, PostTransformOf(attributes));
  const size_t classes = intercepts.empty() ? labels.size() : intercepts.size();
  if (classes == 0 || coefficients.empty() || coefficients.size() % classes != 0) {
    return absl::InvalidArgumentError(absl::StrCat("has ", coefficients.size(),
                                                   " coefficients for ", classes,
                                                   " classes, expected a positive multiple"));
  }
  if (classes > 1 && labels.size() != classes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", labels.size(), " labels for ", classes, " classes"));
  }
  const auto rows = static_cast<int64_t>(classes);
  const Shape shape{rows, static_cast<int64_t>(coefficients.size()) / rows};
  return std::make_unique<LinearClassifierOp>(
      Tensor::Of<float>(shape, absl::MakeConstSpan(coefficients)), std::move(intercepts),
      std::move(labels), transform);
}

}  // namespace sigserve
