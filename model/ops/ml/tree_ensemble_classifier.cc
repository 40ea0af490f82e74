#include <algorithm>
#include <utility>
#include <vector>

#include "model/ops/ml/makers.h"
#include "model/ops/ml/post_transform.h"
#include "model/ops/ml/tree_ensemble.h"

namespace sigserve {
namespace {

// How scores become an answer. Where the definition is silent this does as onnxruntime does.
enum class Answer {
  kEachClass,    // a score per class, the label has the largest; transformed
  kOneClass,     // a single label: the score as it is, and whether it is over 0 as label
  kOdds,         // one score s for two labels: [-s, s], LOGISTIC or as they are; over 0 is label 1
  kProbability,  // the same where no weight is negative: [1 - s, s] as they are; over 0.5
};

class TreeEnsembleClassifierOp final : public Op {
 public:
  TreeEnsembleClassifierOp(TreeEnsemble trees, std::vector<double> base_values,
                           std::vector<int64_t> labels, PostTransform transform)
      : trees_(std::move(trees)),
        base_values_(std::move(base_values)),
        labels_(std::move(labels)),
        transform_(transform),
        answer_(AnswerOf(trees_, labels_.size())) {}

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const RowShape x, trees_.CheckInput(in[0]));
    out[0] = {DType::kInt64, Shape{x.rows}};
    if (out.size() > 1) {
      return SetOutput(DType::kFloat32, Shape{x.rows, static_cast<int64_t>(labels_.size())},
                       out[1]);
    }
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace workspace) const override {
    const size_t classes = labels_.size();
    int64_t* labels = out[0].values<int64_t>().data();
    const bool wants_scores = out.size() > 1;
    const absl::Span<float> all = wants_scores ? out[1].values<float>() : absl::Span<float>();
    const RowShape rows{out[0].elements(), 0};
    trees_.ForEachRow(in[0], rows, workspace, [&](size_t row, double* scores) {
      labels[row] = Finish(scores);
      for (size_t c = 0; wants_scores && c < classes; ++c) {
        all.data()[row * classes + c] = static_cast<float>(scores[c]);
      }
    });
    if (answer_ == Answer::kEachClass ||
        (answer_ == Answer::kOdds && transform_ == PostTransform::kLogistic)) {
      ApplyPostTransform(transform_, all, classes);
    }
  }

  int64_t WorkspaceBytes(absl::Span<const TensorType> in) const override {
    return trees_.WorkspaceBytes(in[0]);
  }

 private:
  static Answer AnswerOf(const TreeEnsemble& trees, size_t classes) {
    if (classes == 1) {
      return Answer::kOneClass;
    }
    if (classes > 2 || trees.only_id() < 0) {
      return Answer::kEachClass;
    }
    return trees.has_negative_weight() ? Answer::kOdds : Answer::kProbability;
  }

  // Scores of a row before the transform; returns its label.
  int64_t Finish(double* scores) const {
    if (answer_ == Answer::kOdds || answer_ == Answer::kProbability) {
      // The base value of the second class, where both are given.
      const double base = base_values_.empty() ? 0 : base_values_.back();
      const double s = scores[trees_.only_id()] + base;
      const bool odds = answer_ == Answer::kOdds;
      scores[0] = odds ? -s : 1 - s;
      scores[1] = s;
      return labels_[s > (odds ? 0 : 0.5) ? 1 : 0];
    }
    for (size_t c = 0; c < base_values_.size(); ++c) {
      scores[c] += base_values_[c];
    }
    if (answer_ == Answer::kOneClass) {
      return scores[0] > 0 ? 1 : 0;
    }
    return labels_[static_cast<size_t>(std::max_element(scores, scores + labels_.size()) - scores)];
  }

  const TreeEnsemble trees_;
  const std::vector<double> base_values_;
  const std::vector<int64_t> labels_;
  const PostTransform transform_;
  const Answer answer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeTreeEnsembleClassifier(const NodeSpec& node,
                                                                     absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(
      CheckTreeAttributes(attributes, "class", {"classlabels_int64s", "classlabels_strings"}));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<int64_t> labels,
                            ClassLabels(attributes, "classlabels_int64s"));
  SIGSERVE_ASSIGN_OR_RETURN(const PostTransform transform, PostTransformOf(attributes));
  SIGSERVE_ASSIGN_OR_RETURN(std::vector<double> base_values, TreeBaseValues(attributes));
  if (labels.empty()) {
    return absl::InvalidArgumentError("has neither 'classlabels_int64s' nor 'classlabels_strings'");
  }
  const size_t bases = base_values.size();
  if (bases != 0 && bases != labels.size() && !(bases == 1 && labels.size() == 2)) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", bases, " base values for ", labels.size(), " classes"));
  }
  SIGSERVE_ASSIGN_OR_RETURN(
      TreeEnsemble trees,
      TreeEnsemble::Make(attributes, "class", static_cast<int64_t>(labels.size()),
                         TreeAggregate::kSum));
  return std::make_unique<TreeEnsembleClassifierOp>(std::move(trees), std::move(base_values),
                                                    std::move(labels), transform);
}

}  // namespace sigserve
