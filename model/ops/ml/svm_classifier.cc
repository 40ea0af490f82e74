#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "model/kernels/activation.h"
#include "model/ops/ml/makers.h"
#include "model/ops/ml/post_transform.h"
#include "model/ops/ml/support_vectors.h"

namespace sigserve {
namespace {

constexpr double kSmallest = 1e-7;  // and 1 less that is the largest probability of a pair

/// Number of the pair (i, j), i < j, of `classes`: in order of i, then of j.
size_t PairOf(size_t i, size_t j, size_t classes) {
  return i * (2 * classes - i - 1) / 2 + j - i - 1;
}

/// libsvm's sigmoid of a pair's score.
double PairProbability(double score, double a, double b) {
  const double z = score * a + b;
  const double p = z >= 0 ? std::exp(-z) / (1 + std::exp(-z)) : 1 / (1 + std::exp(z));
  return std::isnan(p) ? p : std::clamp(p, kSmallest, 1 - kSmallest);
}

/// Probabilities of classes from those of pairs: the second method of Wu, Lin and Weng (2004), to
/// the same accuracy as libsvm.
class PairwiseCoupling {
 public:
  PairwiseCoupling(size_t classes, Workspace& workspace)
      : classes_(classes),
        q_(workspace.Take<double>(classes * classes).data()),
        qp_(workspace.Take<double>(classes).data()) {}

  static int64_t WorkspaceBytes(size_t classes) {
    const auto n = static_cast<double>(classes);
    return Workspace::BytesFor<double>(n * n) + Workspace::BytesFor<double>(n);
  }

  /// `pairs`: of (i, j), i < j, the probability that it is i.
  void Run(const double* pairs, double* p) {
    SetMatrix(pairs);
    std::fill_n(p, classes_, 1 / static_cast<double>(classes_));
    const double enough = 0.005 / static_cast<double>(classes_);
    for (size_t pass = 0; pass < std::max<size_t>(100, classes_) && Error(p) >= enough; ++pass) {
      Improve(p);
    }
  }

 private:
  void SetMatrix(const double* pairs) {
    for (size_t t = 0; t < classes_; ++t) {
      q_[t * classes_ + t] = 0;
    }
    for (size_t i = 0; i < classes_; ++i) {
      for (size_t j = i + 1; j < classes_; ++j) {
        const double ij = pairs[PairOf(i, j, classes_)];
        const double ji = 1 - ij;
        q_[i * classes_ + i] += ji * ji;
        q_[j * classes_ + j] += ij * ij;
        q_[i * classes_ + j] = -ji * ij;
        q_[j * classes_ + i] = -ji * ij;
      }
    }
  }

  double Error(const double* p) {
    pqp_ = 0;
    for (size_t t = 0; t < classes_; ++t) {
      qp_[t] = 0;
      for (size_t j = 0; j < classes_; ++j) {
        qp_[t] += q_[t * classes_ + j] * p[j];
      }
      pqp_ += p[t] * qp_[t];
    }
    double worst = 0;
    for (size_t t = 0; t < classes_; ++t) {
      worst = std::max(worst, std::abs(qp_[t] - pqp_));
    }
    return worst;
  }

  void Improve(double* p) {
    for (size_t t = 0; t < classes_; ++t) {
      const double* q = q_ + t * classes_;
      const double step = (pqp_ - qp_[t]) / q[t];
      const double sum = 1 + step;
      p[t] += step;
      pqp_ = (pqp_ + step * (step * q[t] + 2 * qp_[t])) / sum / sum;
      for (size_t j = 0; j < classes_; ++j) {
        qp_[j] = (qp_[j] + step * q[j]) / sum;
        p[j] /= sum;
      }
    }
  }

  const size_t classes_;
  double* const q_;   // [classes, classes]
  double* const qp_;  // [classes]: q p
  double pqp_ = 0;
};

struct SvmClassifierSettings {
  std::vector<int64_t> labels;
  bool linear = false;              // no support vectors: a row of coefficients per class
  std::vector<int64_t> counts;      // support vectors of each class
  std::vector<float> coefficients;  // of each vector, classes - 1
  std::vector<float> rho;           // per pair; of linear, only the first counts
  std::vector<float> prob_a;        // per pair, or none
  std::vector<float> prob_b;
  bool has_negative = false;  // among the coefficients
  PostTransform transform = PostTransform::kNone;
};

// Support vectors: each pair of classes has a score, and the class that wins most pairs is the
// label. Scores are those of the pairs, or the classes' probabilities if there are prob_a and
// prob_b. Where the definition is silent this does as onnxruntime does: two classes without
// probabilities get the scores [-s, s], whose s is over 0 for the first; SOFTMAX and SOFTMAX_ZERO
// make that [1 - s, s].
class SVMClassifierOp final : public Op {
 public:
  SVMClassifierOp(SupportVectors vectors, SvmClassifierSettings settings)
      : vectors_(std::move(vectors)), s_(std::move(settings)), classes_(s_.labels.size()) {
    for (size_t c = 0; c < s_.counts.size(); ++c) {
      class_of_.insert(class_of_.end(), static_cast<size_t>(s_.counts[c]),
                       static_cast<uint32_t>(c));
    }
  }

  absl::Status Infer(absl::Span<const Operand> in, absl::Span<TensorType> out) const override {
    SIGSERVE_ASSIGN_OR_RETURN(const RowShape x, vectors_.CheckInput(in[0]));
    SIGSERVE_RETURN_IF_ERROR(SetOutput(DType::kInt64, Shape{x.rows}, out[0]));
    if (out.size() > 1) {
      return SetOutput(DType::kFloat32, Shape{x.rows, static_cast<int64_t>(columns())}, out[1]);
    }
    return absl::OkStatus();
  }

  void Forward(absl::Span<const TensorView> in, absl::Span<const MutableTensorView> out,
               Workspace workspace) const override {
    const absl::Span<float> scores = out.size() > 1 ? out[1].values<float>() : absl::Span<float>();
    int64_t* labels = out[0].values<int64_t>().data();
    if (s_.linear) {
      ScoreClasses(in[0], static_cast<size_t>(out[0].elements()), workspace, labels, scores.data());
    } else {
      ScorePairs(in[0], static_cast<size_t>(out[0].elements()), workspace, labels, scores.data());
    }
    const bool one_score = !s_.linear && classes_ == 2 && s_.prob_a.empty();
    if (columns() > 1 && !(one_score && s_.transform != PostTransform::kLogistic)) {
      ApplyPostTransform(s_.transform, scores, columns());
    }
  }

  // The larger of what ScoreClasses() and ScorePairs() take.
  int64_t WorkspaceBytes(absl::Span<const TensorType>) const override {
    const auto classes = static_cast<double>(classes_);
    const int64_t coupling = s_.prob_a.empty() ? 0 : PairwiseCoupling::WorkspaceBytes(classes_);
    return Workspace::BytesFor<double>(static_cast<double>(pairs())) +
           Workspace::BytesFor<uint32_t>(classes) + Workspace::BytesFor<double>(classes) +
           coupling + vectors_.WorkspaceBytes();
  }

 private:
  size_t pairs() const { return classes_ * (classes_ - 1) / 2; }
  size_t columns() const {
    return s_.linear || classes_ == 2 || !s_.prob_a.empty() ? classes_ : pairs();
  }

  void ScoreClasses(const TensorView& x, size_t rows, Workspace workspace, int64_t* labels,
                    float* scores) const {
    const absl::Span<double> row = workspace.Take<double>(classes_);
    vectors_.ForEachRow(
        x, rows, workspace, [](size_t) {},
        [&](size_t c, double product) { row[c] = product + s_.rho[0]; },
        [&](size_t r) {
          labels[r] = s_.labels[LargestClass(row)];
          if (scores != nullptr) {
            std::copy(row.begin(), row.end(), scores + r * classes_);
          }
        });
  }

  // Of two classes, onnxruntime takes the second as soon as either's score is high.
  size_t LargestClass(absl::Span<const double> row) const {
    const auto largest = std::max_element(row.begin(), row.end());
    const bool high = s_.has_negative ? *largest > 0 : *largest >= 0.5;
    if (classes_ == 2 && s_.prob_a.empty() && high) {
      return 1;
    }
    return static_cast<size_t>(largest - row.begin());
  }

  void ScorePairs(const TensorView& x, size_t rows, Workspace workspace, int64_t* labels,
                  float* scores) const {
    const bool probabilities = !s_.prob_a.empty();
    const absl::Span<double> sums = workspace.Take<double>(pairs());
    const absl::Span<uint32_t> votes = workspace.Take<uint32_t>(classes_);
    const absl::Span<double> row = workspace.Take<double>(probabilities ? classes_ : 0);
    PairwiseCoupling coupling(probabilities ? classes_ : 0, workspace);
    vectors_.ForEachRow(
        x, rows, workspace, [&](size_t) { std::fill(sums.begin(), sums.end(), 0.0); },
        [&](size_t vector, double kernel) { AddVector(vector, kernel, sums.data()); },
        [&](size_t r) {
          labels[r] = s_.labels[MostVotes(sums.data(), votes)];
          if (scores == nullptr) {
            return;
          }
          if (probabilities) {
            Probabilities(sums.data(), coupling, row.data());
            std::copy(row.begin(), row.end(), scores + r * classes_);
          } else if (classes_ == 2) {
            const auto s = static_cast<float>(sums[0]);
            const bool complement = s_.transform == PostTransform::kSoftmax ||
                                    s_.transform == PostTransform::kSoftmaxZero;
            scores[2 * r] = complement ? 1 - s : -s;
            scores[2 * r + 1] = s;
          } else {
            std::copy(sums.begin(), sums.end(), scores + r * pairs());
          }
        });
  }

  // A support vector of class c has a coefficient in the pair with every other class.
  void AddVector(size_t vector, double kernel, double* sums) const {
    const size_t c = class_of_.data()[vector];
    const float* coefficients = s_.coefficients.data() + vector * (classes_ - 1);
    for (size_t i = 0; i < c; ++i) {
      sums[PairOf(i, c, classes_)] += coefficients[i] * kernel;
    }
    for (size_t j = c + 1; j < classes_; ++j) {
      sums[PairOf(c, j, classes_)] += coefficients[j - 1] * kernel;
    }
  }

  // Adds rho to the sums, too.
  size_t MostVotes(double* sums, absl::Span<uint32_t> votes) const {
    std::fill(votes.begin(), votes.end(), 0);
    size_t pair = 0;
    for (size_t i = 0; i < classes_; ++i) {
      for (size_t j = i + 1; j < classes_; ++j, ++pair) {
        sums[pair] += s_.rho.data()[pair];
        ++votes[sums[pair] > 0 ? i : j];
      }
    }
    return static_cast<size_t>(std::max_element(votes.begin(), votes.end()) - votes.begin());
  }

  // Overwrites the sums. A NaN among them makes all NaN.
  void Probabilities(double* sums, PairwiseCoupling& coupling, double* row) const {
    for (size_t pair = 0; pair < pairs(); ++pair) {
      sums[pair] = PairProbability(sums[pair], s_.prob_a.data()[pair], s_.prob_b.data()[pair]);
      if (std::isnan(sums[pair])) {  // or infinity times 0
        std::fill_n(row, classes_, std::numeric_limits<double>::quiet_NaN());
        return;
      }
    }
    coupling.Run(sums, row);
  }

  const SupportVectors vectors_;
  const SvmClassifierSettings s_;
  const size_t classes_;
  std::vector<uint32_t> class_of_;  // of each vector
};

// The file has a row of coefficients for all vectors, classes - 1 times.
std::vector<float> ByVector(const std::vector<float>& rows, size_t vectors) {
  std::vector<float> result(rows.size());
  const size_t count = rows.size() / vectors;
  for (size_t r = 0; r < count; ++r) {
    for (size_t v = 0; v < vectors; ++v) {
      result[v * count + r] = rows[r * vectors + v];
    }
  }
  return result;
}

absl::Status CheckSize(absl::string_view name, size_t size, size_t expected) {
  if (size == expected) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("attribute '", name, "' has ", size, " numbers, expected ", expected));
}

// Checks what belongs to support vectors; returns how many there are.
absl::StatusOr<int64_t> CheckPairs(const SvmClassifierSettings& s) {
  const size_t classes = s.labels.size();
  if (classes < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", classes, " labels, expected at least 2"));
  }
  SIGSERVE_RETURN_IF_ERROR(CheckSize("vectors_per_class", s.counts.size(), classes));
  int64_t vectors = 0;
  for (const int64_t count : s.counts) {
    if (count < 0 || count > static_cast<int64_t>(s.coefficients.size())) {
      return absl::InvalidArgumentError(absl::StrCat("attribute 'vectors_per_class' has ", count,
                                                     ", expected 0 to ", s.coefficients.size(),
                                                     ", the number of coefficients"));
    }
    vectors += count;
  }
  SIGSERVE_RETURN_IF_ERROR(CheckSize("coefficients", s.coefficients.size(),
                                     static_cast<size_t>(vectors) * (classes - 1)));
  const size_t pairs = classes * (classes - 1) / 2;
  SIGSERVE_RETURN_IF_ERROR(CheckSize("rho", s.rho.size(), pairs));
  if (!s.prob_a.empty()) {
    SIGSERVE_RETURN_IF_ERROR(CheckSize("prob_a", s.prob_a.size(), pairs));
  }
  return vectors;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const Op>> MakeSVMClassifier(const NodeSpec& node,
                                                            absl::Span<const TensorView>) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_RETURN_IF_ERROR(attributes.CheckKnown(
      {"classlabels_ints", "classlabels_strings", "coefficients", "kernel_params", "kernel_type",
       "post_transform", "prob_a", "prob_b", "rho", "support_vectors", "vectors_per_class"}));
  SvmClassifierSettings s;
  SIGSERVE_ASSIGN_OR_RETURN(s.labels, ClassLabels(attributes, "classlabels_ints"));
  SIGSERVE_ASSIGN_OR_RETURN(s.counts, attributes.Ints("vectors_per_class"));
  SIGSERVE_ASSIGN_OR_RETURN(s.coefficients, FiniteFloats(attributes, "coefficients"));
  SIGSERVE_ASSIGN_OR_RETURN(s.rho, FiniteFloats(attributes, "rho"));
  SIGSERVE_ASSIGN_OR_RETURN(s.prob_a, FiniteFloats(attributes, "prob_a"));
  SIGSERVE_ASSIGN_OR_RETURN(s.prob_b, FiniteFloats(attributes, "prob_b"));
  SIGSERVE_ASSIGN_OR_RETURN(s.transform, PostTransformOf(attributes));
  // Pairwise coupling takes a matrix of them.
  constexpr size_t kMaxLabels = 1000;
  if (s.labels.empty() || s.labels.size() > kMaxLabels) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", s.labels.size(), " labels, expected 1 to ", kMaxLabels));
  }
  SIGSERVE_RETURN_IF_ERROR(CheckSize("prob_b", s.prob_b.size(), s.prob_a.size()));
  s.has_negative =
      std::any_of(s.coefficients.begin(), s.coefficients.end(), [](float c) { return c < 0; });
  s.linear =
      std::all_of(s.counts.begin(), s.counts.end(), [](int64_t count) { return count == 0; });
  auto vectors = static_cast<int64_t>(s.labels.size());
  if (s.linear) {
    if (s.rho.empty()) {
      return absl::InvalidArgumentError("attribute 'rho' has 0 numbers, expected at least 1");
    }
  } else {
    SIGSERVE_ASSIGN_OR_RETURN(vectors, CheckPairs(s));
    s.coefficients = ByVector(s.coefficients, static_cast<size_t>(vectors));
  }
  SIGSERVE_ASSIGN_OR_RETURN(
      SupportVectors support,
      SupportVectors::Make(attributes, s.linear ? "coefficients" : "support_vectors", vectors,
                           s.linear));
  return std::make_unique<SVMClassifierOp>(std::move(support), std::move(s));
}

}  // namespace sigserve
