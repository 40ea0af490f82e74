#include "model/ops/ml/tree_ensemble.h"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace sigserve {

using kernels::Trees;

void TreeEnsemble::AddLeaves(size_t first_tree, const uint32_t* leaves, double* scores) const {
  const size_t count = std::min(Trees::kGroup, trees_.trees() - first_tree);
  if (values_.empty()) {
    AddWeights(leaves, count, scores);
    return;
  }
  const uint32_t* to = outputs_of_trees_.data() + first_tree;
  if (only_id_ < 0 || count < Trees::kGroup) {
    for (size_t i = 0; i < count; ++i) {
      scores[to[i]] += static_cast<double>(values_[leaves[i]]);
    }
    return;
  }
  const float* v = values_.data();
  const auto two = [&](size_t i) {
    return static_cast<double>(v[leaves[i]]) + static_cast<double>(v[leaves[i + 1]]);
  };
  scores[to[0]] += (two(0) + two(2)) + (two(4) + two(6));
}

void TreeEnsemble::AddWeights(const uint32_t* leaves, size_t count, double* scores) const {
  for (size_t i = 0; i < count; ++i) {
    for (uint32_t w = begins_[leaves[i]]; w < begins_[leaves[i] + 1]; ++w) {
      double& score = scores[weights_[w].id];
      const double value = weights_[w].value;
      if (aggregate_ == TreeAggregate::kMin) {
        score = score <= value ? score : value;  // at first NaN
      } else if (aggregate_ == TreeAggregate::kMax) {
        score = score >= value ? score : value;
      } else {
        score += value;
      }
    }
  }
}

template <typename T>
void TreeEnsemble::ScoreRows(const Trees::Rows<T>& rows, double* scores) const {
  const bool picks = aggregate_ == TreeAggregate::kMin || aggregate_ == TreeAggregate::kMax;
  const size_t count = rows.rows * outputs_;
  std::fill_n(scores, count, picks ? std::numeric_limits<double>::quiet_NaN() : 0);
  uint32_t leaves[kBlock * Trees::kGroup];
  for (size_t tree = 0; tree < trees_.trees(); tree += Trees::kGroup) {
    trees_.FindLeaves(tree, rows, leaves);
    for (size_t row = 0; row < rows.rows; ++row) {
      AddLeaves(tree, leaves + row * Trees::kGroup, scores + row * outputs_);
    }
  }
  for (size_t i = 0; i < count; ++i) {
    if (picks && std::isnan(scores[i])) {
      scores[i] = 0;
    }
    if (aggregate_ == TreeAggregate::kAverage) {
      scores[i] /= static_cast<double>(trees_.trees());
    }
  }
}

int64_t TreeEnsemble::WorkspaceBytes(const TensorType& x) const {
  const int64_t scores =
      Workspace::BytesFor<double>(static_cast<double>(std::max(kBlockScores, outputs_)));
  if (x.dtype == DType::kFloat32 || x.dtype == DType::kFloat64) return scores;
  const auto columns = static_cast<double>(x.shape[x.shape.rank() - 1]);
  return scores + Workspace::BytesFor<float>(static_cast<double>(kBlock) * columns);
}

void TreeEnsemble::Score(const TensorView& x, size_t first, size_t count, Workspace workspace,
                         double* scores) const {
  const Shape& shape = x.shape();
  const auto columns = static_cast<size_t>(shape[shape.rank() - 1]);
  if (x.dtype() == DType::kFloat64) {
    const double* data = x.values<double>().data() + first * columns;
    ScoreRows(Trees::Rows<double>{data, count, columns}, scores);
    return;
  }
  const auto* data = static_cast<const float*>(x.data()) + first * columns;
  if (x.dtype() != DType::kFloat32) {  // whole numbers are compared in single precision
    float* const converted = workspace.Take<float>(count * columns).data();
    VisitNumbers(x, [&](auto numbers) {
      const auto from = numbers.subspan(first * columns, count * columns);
      std::transform(from.begin(), from.end(), converted,
                     [](auto v) { return static_cast<float>(v); });
    });
    data = converted;
  }
  int nan = 0;
  for (size_t i = 0; i < count * columns; ++i) {
    nan |= static_cast<int>(data[i] != data[i]);
  }
  ScoreRows(Trees::Rows<float>{data, count, columns, nan != 0}, scores);
}

absl::StatusOr<RowShape> TreeEnsemble::CheckInput(const Operand& x) const {
  SIGSERVE_ASSIGN_OR_RETURN(const RowShape shape, RowsOf(x));
  if (shape.columns < features_) {
    return absl::InvalidArgumentError(absl::StrCat("the trees test feature ", features_ - 1,
                                                   ", the input has ", shape.columns, " columns"));
  }
  return shape;
}

}  // namespace sigserve
