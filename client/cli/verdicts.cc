#include "client/cli/verdicts.h"

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cli/input_data.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

using client::PredictionOutput;

/// The label as class `id` among `names` would be written: its number, or its name.
absl::StatusOr<double> LabelNumber(const std::string& label,
                                   const std::vector<std::string>& names) {
  double number = 0;
  if (ParseNumber(label, &number)) return number;
  const auto named = std::find(names.begin(), names.end(), label);
  if (named != names.end()) return static_cast<double>(named - names.begin());
  return absl::InvalidArgumentError(absl::StrCat(
      "true label '", label, "' is neither a number nor one of the model's label names"));
}

/// Is the label "yes" for the entry called `name` (empty if it has none)?
absl::StatusOr<bool> IsPositive(const std::string& label, const std::string& name) {
  double number = 0;
  if (ParseNumber(label, &number) && (number == 0 || number == 1)) return number == 1;
  if (name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("true label '", label, "' is not 0 or 1, and the model names no labels"));
  }
  return label == name;
}

bool Decide(const PredictionOutput& output, const std::vector<float>& thresholds, int64_t row,
            int64_t width, int64_t entry) {
  const auto at = static_cast<size_t>(row * width + entry);
  if (!output.decisions.empty()) return output.decisions[at];
  float threshold = 0.5F;
  if (thresholds.size() == 1) threshold = thresholds[0];
  if (static_cast<int64_t>(thresholds.size()) == width) threshold = thresholds[entry];
  return output.probabilities[at] >= threshold;
}

std::vector<float> ThresholdsOf(const std::string& output, const client::ModelInfo& model) {
  for (const client::TensorSpec& spec : model.outputs) {
    if (spec.name == output) return spec.thresholds;
  }
  return {};
}

}  // namespace

int64_t RowWidth(const PredictionOutput& output) {
  int64_t width = 1;
  for (size_t d = 1; d < output.shape.size(); ++d) width *= output.shape[d];
  return width;
}

int64_t RowCount(const PredictionOutput& output) {
  return output.shape.empty() ? 1 : output.shape[0];
}

absl::StatusOr<std::vector<bool>> JudgeRows(const std::vector<PredictionOutput>& outputs,
                                            const client::ModelInfo& model,
                                            const std::vector<std::string>& labels,
                                            int64_t columns) {
  const auto is_probability = [](const PredictionOutput& o) { return o.is_probability; };
  const auto is_class_id = [](const PredictionOutput& o) { return !o.int64_values.empty(); };
  auto found = std::find_if(outputs.begin(), outputs.end(), is_probability);
  if (found == outputs.end()) found = std::find_if(outputs.begin(), outputs.end(), is_class_id);
  if (found == outputs.end()) {
    return absl::FailedPreconditionError("the model's outputs are no probabilities");
  }
  const PredictionOutput& output = *found;
  const int64_t rows = RowCount(output);
  const int64_t width = RowWidth(output);
  if (static_cast<int64_t>(labels.size()) != rows * columns || (columns != width && columns != 1)) {
    return absl::FailedPreconditionError(absl::StrCat(
        columns, " label columns, but ", width, " values in each row of '", output.name, "'"));
  }

  const std::vector<float> thresholds = ThresholdsOf(output.name, model);
  std::vector<bool> right;
  for (int64_t row = 0; row < rows; ++row) {
    bool row_right = true;
    if (columns == width && output.is_probability) {
      for (int64_t c = 0; c < width; ++c) {
        const bool named = static_cast<int64_t>(output.labels.size()) == width;
        CLIENT_ASSIGN_OR_RETURN(const bool positive, IsPositive(labels[row * columns + c],
                                                                named ? output.labels[c] : ""));
        row_right = row_right && Decide(output, thresholds, row, width, c) == positive;
      }
    } else if (output.is_probability) {
      CLIENT_ASSIGN_OR_RETURN(const double label, LabelNumber(labels[row], output.labels));
      const auto begin = output.probabilities.begin() + row * width;
      row_right = static_cast<double>(std::max_element(begin, begin + width) - begin) == label;
    } else {
      for (int64_t c = 0; c < columns; ++c) {
        CLIENT_ASSIGN_OR_RETURN(const double label,
                                LabelNumber(labels[row * columns + c], output.labels));
        row_right = row_right && static_cast<double>(output.int64_values[row * width + c]) == label;
      }
    }
    right.push_back(row_right);
  }
  return right;
}

}  // namespace sigserve::cli
