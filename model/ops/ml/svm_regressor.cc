#include <utility>
#include <vector>

#include "model/ops/ml/makers.h"
#include "model/ops/ml/support_vectors.h"

namespace sigserve {
namespace {

// y = sum of coefficient * kernel(x, vector) + rho; without support vectors x * coefficients + rho.
// post_transform has no effect, as in onnxruntime.
class SVMRegressorOp final : public Op {
 public:
  SVMRegressorOp(SupportVectors vectors, std::vector<float> coefficients, double rho,
                 bool one_class)
      : vectors_(std::move(vectors)),
        coefficients_(std::move(coefficients)),
        rho_(rho),
        one_class_(one_class) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const RowShape x, vectors_.CheckInput(in[0]));
    return SetOutput(DType::kFloat32, Shape{x.rows, 1}, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace workspace) const override {
    float* y = out[0].values<float>().data();
    double sum = 0;
    vectors_.ForEachRow(
        in[0], static_cast<size_t>(out[0].elements()), workspace, [&](size_t) { sum = 0; },
        [&](size_t vector, double kernel) {
          sum += coefficients_.empty() ? kernel : coefficients_.data()[vector] * kernel;
        },
        [&](size_t row) {
          sum += rho_;
          y[row] = one_class_ ? (sum > 0 ? 1.0F : -1.0F) : static_cast<float>(sum);
        });
  }

  int64_t WorkspaceBytes(absl::Span<const TensorType>) const override {
    return vectors_.WorkspaceBytes();
  }

 private:
  const SupportVectors vectors_;
  const std::vector<float> coefficients_;  // one per support vector; none: they are the vector
  const double rho_;
  const bool one_class_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeSVMRegressor(const NodeSpec& node,
                                                           absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(
      attributes.CheckKnown({"coefficients", "kernel_params", "kernel_type", "n_supports",
                             "one_class", "post_transform", "rho", "support_vectors"}));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<float> coefficients,
                            FiniteFloats(attributes, "coefficients"));
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<float> rho, FiniteFloats(attributes, "rho"));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t supports, attributes.Int("n_supports", 0));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t one_class, attributes.Int("one_class", 0));
  SIGSERVE_RETURN_IF_ERROR(attributes.String("post_transform", "NONE").status());
  if (rho.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'rho' has ", rho.size(), " numbers, expected 1"));
  }
  if (supports < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'n_supports' is ", supports, ", expected 0 or more"));
  }
  const bool linear = supports == 0;
  if (!linear && static_cast<int64_t>(coefficients.size()) != supports) {
    return absl::InvalidArgumentError(absl::StrCat(
        "has ", coefficients.size(), " coefficients for ", supports, " support vectors"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(
      SupportVectors vectors,
      SupportVectors::Make(attributes, linear ? "coefficients" : "support_vectors",
                           linear ? 1 : supports, linear));
  if (linear) {
    coefficients.clear();
  }
  return std::make_unique<SVMRegressorOp>(std::move(vectors), std::move(coefficients), rho[0],
                                          one_class != 0);
}

}  // namespace sigserve
