// For tree_ensemble_classifier.cc and tree_ensemble_regressor.cc: the trees, checked and laid out,
// and the scores that their leaves add up to.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "model/kernels/trees.h"
#include "model/ops/ml/numbers.h"

namespace sigserve {

enum class TreeAggregate { kSum, kAverage, kMin, kMax };

/// A FLOATS attribute, or the tensor `<name>_as_tensor` (FLOAT32 or FLOAT64) in its place.
absl::StatusOr<std::vector<double>> TreeNumbers(const Attributes& attributes,
                                                const std::string& name);

/// INVALID_ARGUMENT for an attribute that is neither of all trees (nodes_*, base_values,
/// post_transform, `what`_ids and so on) nor among `own`: names it.
absl::Status CheckTreeAttributes(const Attributes& attributes, absl::string_view what,
                                 std::initializer_list<absl::string_view> own);

/// base_values: none, or one finite number per output.
absl::StatusOr<std::vector<double>> TreeBaseValues(const Attributes& attributes);

class TreeEnsemble {
 public:
  /// Reads nodes_* and <what>_ids, _nodeids, _treeids and _weights; `what` is "class" or "target".
  /// Ids are below `outputs`. INVALID_ARGUMENT for everything that is not a tree (unequal lengths,
  /// children that are missing, shared or their own ancestors): names attribute, tree and node.
  static absl::StatusOr<TreeEnsemble> Make(const Attributes& attributes, const std::string& what,
                                           int64_t outputs, TreeAggregate aggregate);

  /// INVALID_ARGUMENT when a row has not all the features that the trees test.
  absl::StatusOr<RowShape> CheckInput(const Operand& x) const;

  /// Of ForEachRow().
  int64_t WorkspaceBytes(const TensorType& x) const;

  /// The id that all weights have, if there is one; else -1.
  int64_t only_id() const { return only_id_; }
  bool has_negative_weight() const { return has_negative_weight_; }

  /// Calls f(row, scores): one double per output; 0 where no leaf has a weight.
  template <typename F>
  void ForEachRow(const TensorView& x, const RowShape& shape, Workspace workspace, F f) const {
    const auto rows = static_cast<size_t>(shape.rows);
    const size_t block = std::min(std::max<size_t>(1, std::min(kBlock, kBlockScores / outputs_)),
                                  std::max<size_t>(rows, 1));
    const absl::Span<double> scores = workspace.Take<double>(std::max(kBlockScores, outputs_));
    for (size_t first = 0; first < rows; first += block) {
      const size_t count = std::min(block, rows - first);
      Score(x, first, count, workspace, scores.data());
      for (size_t i = 0; i < count; ++i) {
        f(first + i, scores.data() + i * outputs_);
      }
    }
  }

 private:
  friend class TreeEnsembleBuilder;

  static constexpr size_t kBlock = 64;  // rows: their leaves in one group of trees take 2 KB
  static constexpr size_t kBlockScores = 512;

  struct Weight {
    uint32_t id;
    double value;
  };

  void Score(const TensorView& x, size_t first, size_t count, Workspace workspace,
             double* scores) const;
  template <typename T>
  void ScoreRows(const kernels::Trees::Rows<T>& rows, double* scores) const;
  void AddLeaves(size_t first_tree, const uint32_t* leaves, double* scores) const;
  void AddWeights(const uint32_t* leaves, size_t count, double* scores) const;

  size_t outputs_ = 1;
  TreeAggregate aggregate_ = TreeAggregate::kSum;
  int64_t features_ = 0;  // that a row must have
  kernels::Trees trees_;
  int64_t only_id_ = -1;
  bool has_negative_weight_ = false;

  // Where each tree adds to one output only, as boosted trees do: by leaf, its weight; by tree, the
  // output. Empty otherwise.
  std::vector<float> values_;
  std::vector<uint32_t> outputs_of_trees_;
  // Otherwise: weights_[begins_[leaf]] to weights_[begins_[leaf + 1]].
  std::vector<uint32_t> begins_;
  std::vector<Weight> weights_;
};

}  // namespace sigserve
