// Predictions against true labels. Pure. What a row's prediction is:
//   as many label columns as probabilities: every decision (at the model's thresholds) must agree;
//   one label column, several probabilities: the most probable entry is the predicted class;
//   an integer output (class ids): the id itself.
// A true label is a number (1 and 0, or a class id) or one of the output's label names.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/types.h"

namespace sigserve::cli {

/// One entry per row: was it predicted right? `labels` is rows x `columns`. FAILED_PRECONDITION or
/// INVALID_ARGUMENT says why the two cannot be compared.
absl::StatusOr<std::vector<bool>> JudgeRows(const std::vector<client::PredictionOutput>& outputs,
                                            const client::ModelInfo& model,
                                            const std::vector<std::string>& labels,
                                            int64_t columns);

/// Entries per row of an output: the product of its shape after dimension 0.
int64_t RowWidth(const client::PredictionOutput& output);
/// Dimension 0; 1 for a scalar.
int64_t RowCount(const client::PredictionOutput& output);

}  // namespace sigserve::cli
