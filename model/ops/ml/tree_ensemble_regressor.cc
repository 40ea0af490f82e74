#include <utility>
#include <vector>

#include "model/ops/ml/makers.h"
#include "model/ops/ml/post_transform.h"
#include "model/ops/ml/tree_ensemble.h"

namespace sigserve {
namespace {

class TreeEnsembleRegressorOp final : public Op {
 public:
  TreeEnsembleRegressorOp(TreeEnsemble trees, std::vector<double> base_values, int64_t targets,
                          PostTransform transform)
      : trees_(std::move(trees)),
        base_values_(std::move(base_values)),
        targets_(targets),
        transform_(transform) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const RowShape x, trees_.CheckInput(in[0]));
    return SetOutput(DType::kFloat32, Shape{x.rows, targets_}, out[0]);
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace workspace) const override {
    const auto targets = static_cast<size_t>(targets_);
    const absl::Span<float> y = out[0].values<float>();
    trees_.ForEachRow(in[0], {out[0].shape()[0], 0}, workspace,
                      [&](size_t row, const double* scores) {
                        for (size_t t = 0; t < targets; ++t) {
                          const double base = base_values_.empty() ? 0 : base_values_[t];
                          y.data()[row * targets + t] = static_cast<float>(scores[t] + base);
                        }
                      });
    ApplyPostTransform(transform_, y, targets);
  }

  int64_t WorkspaceBytes(absl::Span<const TensorType> in) const override {
    return trees_.WorkspaceBytes(in[0]);
  }

 private:
  const TreeEnsemble trees_;
  const std::vector<double> base_values_;
  const int64_t targets_;
  const PostTransform transform_;
};

absl::StatusOr<TreeAggregate> AggregateOf(const Attributes& attributes) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string name, attributes.String("aggregate_function", "SUM"));
  if (name == "SUM") {
    return TreeAggregate::kSum;
  }
  if (name == "AVERAGE") {
    return TreeAggregate::kAverage;
  }
  if (name == "MIN") {
    return TreeAggregate::kMin;
  }
  if (name == "MAX") {
    return TreeAggregate::kMax;
  }
  return absl::InvalidArgumentError(absl::StrCat("attribute 'aggregate_function' is '", name,
                                                 "', expected SUM, AVERAGE, MIN or MAX"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeTreeEnsembleRegressor(const NodeSpec& node,
                                                                    absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(
      CheckTreeAttributes(attributes, "target", {"aggregate_function", "n_targets"}));
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t targets, attributes.Int("n_targets", 1));
  SIGSERVE_ASSIGN_OR_RETURN(const TreeAggregate aggregate, AggregateOf(attributes));
  SIGSERVE_ASSIGN_OR_RETURN(const PostTransform transform, PostTransformOf(attributes));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<double> base_values, TreeBaseValues(attributes));
  constexpr int64_t kMaxTargets = 1'000'000;
  if (targets < 1 || targets > kMaxTargets) {
    return absl::InvalidArgumentError(
        absl::StrCat("attribute 'n_targets' is ", targets, ", expected 1 to ", kMaxTargets));
  }
  if (!base_values.empty() && base_values.size() != static_cast<size_t>(targets)) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", base_values.size(), " base values for ", targets, " targets"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(TreeEnsemble trees,
                            TreeEnsemble::Make(attributes, "target", targets, aggregate));
  return std::make_unique<TreeEnsembleRegressorOp>(std::move(trees), std::move(base_values),
                                                   targets, transform);
}

}  // namespace sigserve
