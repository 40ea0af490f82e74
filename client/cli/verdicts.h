// Predictions compared with true labels. Pure. What counts as a row's prediction:
//   a label column per probability: one decision each, at the model's thresholds;
//   one label column, several probabilities: the most probable entry is the predicted class;
//   an integer output (class ids): the id itself.
// Accuracy means the same everywhere: the share of right decisions among all decisions, that is
// rows times label columns. With several labels it is the mean of the labels' accuracies, as in
// the server's validation_accuracy; the share of rows that are right in every label is stricter
// and called "exact match".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/input_data.h"
#include "client/types.h"

namespace sigserve::cli {

/// One label of a probability output.
struct LabelQuality {
  std::string name = {};
  int64_t positives = 0;  // rows whose true label is positive
  double accuracy = 0;
  std::optional<double> f1 = {};       // absent without positives, true or predicted
  std::optional<double> roc_auc = {};  // absent if all rows are of one class, or p is NaN
};

struct Verdicts {
  std::vector<bool> right = {};  // per row: right in every label
  double accuracy = 0;
  std::vector<LabelQuality> labels = {};  // empty for predicted classes
};

/// Compares `outputs` with `data`'s label columns. INVALID_ARGUMENT names the row and column of a
/// label that is not understood: it is never counted as negative. FAILED_PRECONDITION says why the
/// model's outputs cannot be compared with these columns at all.
absl::StatusOr<Verdicts> Judge(const std::vector<client::PredictionOutput>& outputs,
                               const client::ModelInfo& model, const InputData& data);

/// Area under the ROC curve: the probability that a random positive ranks above a random negative,
/// ties counted half (Mann-Whitney U). `is_positive` has one entry per score.
std::optional<double> RocAuc(const std::vector<float>& scores,
                             const std::vector<bool>& is_positive);

/// Entries per row of an output: the product of its shape after dimension 0.
int64_t RowWidth(const client::PredictionOutput& output);
/// Dimension 0; 1 for a scalar.
int64_t RowCount(const client::PredictionOutput& output);

}  // namespace sigserve::cli
