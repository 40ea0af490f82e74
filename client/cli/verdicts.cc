#include "client/cli/verdicts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cli/labels.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

using client::PredictionOutput;

/// The true labels of a file, by row and column.
struct TrueLabels {
  const InputData& data;

  int64_t columns() const { return static_cast<int64_t>(data.label_names.size()); }
  const std::string& at(int64_t row, int64_t column) const {
    return data.labels[row * columns() + column];
  }
  absl::Status Error(int64_t row, int64_t column, absl::string_view expected) const {
    return absl::InvalidArgumentError(
        absl::StrCat(data.source, ": row ", row + 1, ", column '", data.label_names[column],
                     "': label '", at(row, column).substr(0, 40), "' is not ", expected));
  }
};

/// The label as class `id` among `names` would be written: its number, or its name.
absl::StatusOr<int64_t> ClassOf(const TrueLabels& labels, int64_t row, int64_t column,
                                const std::vector<std::string>& names) {
  constexpr double kExactInteger = 9007199254740992.0;  // 2^53
  const std::string& text = labels.at(row, column);
  double number = 0;
  if (ParseNumber(text, &number) && number == std::trunc(number) &&
      std::abs(number) < kExactInteger) {
    return static_cast<int64_t>(number);
  }
  const auto named = std::find(names.begin(), names.end(), text);
  if (named != names.end()) return named - names.begin();
  return labels.Error(row, column, "a class number or one of the model's label names");
}

/// Whether the label is positive for the entry called `name` (empty if it has none).
absl::StatusOr<bool> IsPositive(const TrueLabels& labels, int64_t row, int64_t column,
                                const std::string& name) {
  const std::string& text = labels.at(row, column);
  const std::optional<bool> positive = ParseBinaryLabel(text);
  if (positive) return *positive;
  if (!name.empty() && text == name) return true;
  return labels.Error(
      row, column,
      name.empty() ? std::string(kBinaryLabels) : absl::StrCat(kBinaryLabels, ", or ", name));
}

float ThresholdOf(const std::vector<float>& thresholds, int64_t width, int64_t entry) {
  if (thresholds.size() == 1) return thresholds[0];
  return static_cast<int64_t>(thresholds.size()) == width ? thresholds[entry] : 0.5F;
}

std::vector<float> ThresholdsOf(const std::string& output, const client::ModelInfo& model) {
  for (const client::TensorSpec& spec : model.outputs) {
    if (spec.name == output) return spec.thresholds;
  }
  return {};
}

/// One label's rows: decisions at `threshold` against the truth.
absl::StatusOr<LabelQuality> JudgeLabel(const PredictionOutput& output, const TrueLabels& labels,
                                        int64_t entry, float threshold,
                                        std::vector<bool>* row_right) {
  const int64_t rows = RowCount(output);
  const int64_t width = RowWidth(output);
  const bool named = static_cast<int64_t>(output.labels.size()) == width;
  const std::string name = named ? output.labels[entry] : "";
  LabelQuality quality{.name = name.empty() ? labels.data.label_names[entry] : name};
  std::vector<float> scores;
  std::vector<bool> truths;
  int64_t right = 0;
  int64_t true_positives = 0;
  int64_t predicted = 0;
  for (int64_t row = 0; row < rows; ++row) {
    CLIENT_ASSIGN_OR_RETURN(const bool positive, IsPositive(labels, row, entry, name));
    const auto at = static_cast<size_t>(row * width + entry);
    const float p = output.probabilities[at];
    const bool decision = output.decisions.empty() ? p >= threshold : output.decisions[at];
    scores.push_back(p);
    truths.push_back(positive);
    quality.positives += positive ? 1 : 0;
    predicted += decision ? 1 : 0;
    true_positives += decision && positive ? 1 : 0;
    right += decision == positive ? 1 : 0;
    if (decision != positive) (*row_right)[row] = false;
  }
  quality.accuracy = static_cast<double>(right) / static_cast<double>(rows);
  if (quality.positives + predicted > 0) {
    quality.f1 = 2.0 * static_cast<double>(true_positives) /
                 static_cast<double>(quality.positives + predicted);
  }
  quality.roc_auc = RocAuc(scores, truths);
  return quality;
}

absl::StatusOr<Verdicts> JudgeLabels(const PredictionOutput& output,
                                     const std::vector<float>& thresholds,
                                     const TrueLabels& labels) {
  Verdicts verdicts{.right = std::vector<bool>(RowCount(output), true)};
  const int64_t width = RowWidth(output);
  for (int64_t entry = 0; entry < width; ++entry) {
    CLIENT_ASSIGN_OR_RETURN(
        LabelQuality quality,
        JudgeLabel(output, labels, entry, ThresholdOf(thresholds, width, entry), &verdicts.right));
    verdicts.accuracy += quality.accuracy / static_cast<double>(width);
    verdicts.labels.push_back(std::move(quality));
  }
  return verdicts;
}

/// The class that row `row` is predicted to be: the most probable entry, or the id at `column`.
int64_t PredictedClass(const PredictionOutput& output, int64_t row, int64_t column) {
  const int64_t width = RowWidth(output);
  if (!output.is_probability) return output.int64_values[row * width + column];
  const auto begin = output.probabilities.begin() + row * width;
  return std::max_element(begin, begin + width) - begin;
}

absl::StatusOr<Verdicts> JudgeClasses(const PredictionOutput& output, const TrueLabels& labels) {
  Verdicts verdicts{.right = std::vector<bool>(RowCount(output), true)};
  int64_t right = 0;
  for (int64_t row = 0; row < RowCount(output); ++row) {
    for (int64_t c = 0; c < labels.columns(); ++c) {
      CLIENT_ASSIGN_OR_RETURN(const int64_t truth, ClassOf(labels, row, c, output.labels));
      if (output.is_probability && (truth < 0 || truth >= RowWidth(output))) {
        return labels.Error(row, c, absl::StrCat("a class from 0 to ", RowWidth(output) - 1));
      }
      const bool is_right = PredictedClass(output, row, c) == truth;
      right += is_right ? 1 : 0;
      if (!is_right) verdicts.right[row] = false;
    }
  }
  verdicts.accuracy =
      static_cast<double>(right) / static_cast<double>(RowCount(output) * labels.columns());
  return verdicts;
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

std::optional<double> RocAuc(const std::vector<float>& scores,
                             const std::vector<bool>& is_positive) {
  if (std::any_of(scores.begin(), scores.end(), [](float s) { return std::isnan(s); })) return {};
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  double rank_sum = 0;  // of the positives; equal scores share the mean of their ranks
  double positives = 0;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    double tied_positives = 0;
    while (end < order.size() && scores[order[end]] == scores[order[begin]]) {
      tied_positives += is_positive[order[end++]] ? 1 : 0;
    }
    rank_sum += tied_positives * (static_cast<double>(begin + end) + 1) / 2;
    positives += tied_positives;
    begin = end;
  }
  const double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return {};
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

absl::StatusOr<Verdicts> Judge(const std::vector<PredictionOutput>& outputs,
                               const client::ModelInfo& model, const InputData& data) {
  const auto is_probability = [](const PredictionOutput& o) { return o.is_probability; };
  const auto is_class_id = [](const PredictionOutput& o) { return !o.int64_values.empty(); };
  auto found = std::find_if(outputs.begin(), outputs.end(), is_probability);
  if (found == outputs.end()) found = std::find_if(outputs.begin(), outputs.end(), is_class_id);
  if (found == outputs.end()) {
    return absl::FailedPreconditionError("the model has no probability or class output");
  }
  const PredictionOutput& output = *found;
  const TrueLabels labels{data};
  const int64_t columns = labels.columns();
  const int64_t width = RowWidth(output);
  const bool fits = static_cast<int64_t>(data.labels.size()) == RowCount(output) * columns;
  if (!fits || (columns != width && columns != 1)) {
    return absl::FailedPreconditionError(absl::StrCat("the file has ", columns,
                                                      " label columns, each row of '", output.name,
                                                      "' has ", width, " values"));
  }
  if (columns != width || !output.is_probability) return JudgeClasses(output, labels);
  return JudgeLabels(output, ThresholdsOf(output.name, model), labels);
}

}  // namespace sigserve::cli
