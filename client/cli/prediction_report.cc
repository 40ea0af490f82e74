#include "client/cli/prediction_report.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/writers.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

using client::PredictionOutput;

template <typename T>
void Extend(std::vector<T>* to, const std::vector<T>& from) {
  to->insert(to->end(), from.begin(), from.end());
}

/// Every list is absent or has one entry per element of the shape.
absl::Status CheckSizes(const PredictionOutput& output) {
  auto count = ElementCount(output.shape);
  if (count.ok()) {
    const auto expected = static_cast<size_t>(*count);
    const auto fits = [expected](size_t size) { return size == 0 || size == expected; };
    const size_t values = output.probabilities.size() + output.int64_values.size();
    if (values == expected && fits(output.logits.size()) && fits(output.log_probabilities.size()) &&
        fits(output.decisions.size())) {
      return absl::OkStatus();
    }
  }
  return absl::InternalError(
      absl::StrCat("output '", output.name, "': the server's values do not match its shape"));
}

/// The column name of one entry of an output's rows.
std::string EntryName(const PredictionOutput& output, int64_t entry, bool several_outputs) {
  const bool labelled = static_cast<int64_t>(output.labels.size()) == RowWidth(output);
  std::string name = labelled                ? output.labels[entry]
                     : RowWidth(output) == 1 ? output.name
                                             : absl::StrCat(output.name, "[", entry, "]");
  return labelled && several_outputs ? absl::StrCat(output.name, ".", name) : name;
}

std::string Text(float value, bool exact) {
  if (exact) return ExactText(value);
  const float size = std::abs(value);
  // Six decimals would show a tiny probability as 0 and a huge value as a long row of digits.
  if ((size > 0 && size < 5e-7F) || size >= 1e6F) return absl::StrFormat("%.4e", value);
  return absl::StrFormat("%.6f", value);
}

}  // namespace

absl::Status PredictionReport::Append(client::Prediction prediction) {
  for (const PredictionOutput& output : prediction.outputs) {
    CLIENT_RETURN_IF_ERROR(CheckSizes(output));
  }
  if (prediction.timing) timings_.push_back(*prediction.timing);
  if (++requests_ == 1) {
    joined_ = std::move(prediction);
    return absl::OkStatus();
  }
  bool same = prediction.outputs.size() == joined_.outputs.size();
  for (size_t i = 0; same && i < joined_.outputs.size(); ++i) {
    const PredictionOutput& next = prediction.outputs[i];
    PredictionOutput& output = joined_.outputs[i];
    same = next.name == output.name && !next.shape.empty() &&
           next.shape.size() == output.shape.size() &&
           std::equal(next.shape.begin() + 1, next.shape.end(), output.shape.begin() + 1);
    if (!same) break;
    output.shape[0] += next.shape[0];
    Extend(&output.probabilities, next.probabilities);
    Extend(&output.logits, next.logits);
    Extend(&output.log_probabilities, next.log_probabilities);
    Extend(&output.decisions, next.decisions);
    Extend(&output.int64_values, next.int64_values);
  }
  if (!same) return absl::InternalError("the server's outputs differ between requests");
  return absl::OkStatus();
}

absl::Status PredictionReport::Judge(const InputData& data, const client::ModelInfo& model) {
  if (data.label_names.empty()) return absl::OkStatus();
  label_names_ = data.label_names;
  labels_ = data.labels;
  auto verdicts = cli::Judge(joined_.outputs, model, data);
  if (absl::IsInvalidArgument(verdicts.status())) return verdicts.status();
  if (verdicts.ok()) {
    verdicts_ = *std::move(verdicts);
  } else {
    not_judged_ = std::string(verdicts.status().message());
  }
  return absl::OkStatus();
}

int64_t PredictionReport::rows() const {
  return joined_.outputs.empty() ? 0 : RowCount(joined_.outputs[0]);
}

std::string PredictionReport::AccuracyText() const {
  const auto right = std::count(verdicts_->right.begin(), verdicts_->right.end(), true);
  const auto total = static_cast<int64_t>(verdicts_->right.size());
  if (verdicts_->labels.size() > 1) {
    return absl::StrFormat("accuracy %.4f (mean over %d labels), exact match %.4f",
                           verdicts_->accuracy, verdicts_->labels.size(),
                           static_cast<double>(right) / static_cast<double>(total));
  }
  std::string text =
      absl::StrFormat("accuracy %.4f (%d wrong)", verdicts_->accuracy, total - right);
  for (const LabelQuality& label : verdicts_->labels) {
    if (label.f1) absl::StrAppendFormat(&text, ", F1 %.4f", *label.f1);
    if (label.roc_auc) absl::StrAppendFormat(&text, ", ROC-AUC %.4f", *label.roc_auc);
  }
  return text;
}

std::string PredictionReport::TimingText() const {
  client::Timing mean;
  const auto n = static_cast<double>(timings_.size());
  double batch = 0;
  for (const client::Timing& timing : timings_) {
    mean.queued_us += timing.queued_us / n;
    mean.computed_us += timing.computed_us / n;
    batch += static_cast<double>(timing.batch_rows) / n;
  }
  std::string text = absl::StrFormat("server: queued %.1f us, computed %.1f us, batch of %g rows",
                                     mean.queued_us, mean.computed_us, batch);
  if (timings_.size() > 1) absl::StrAppend(&text, " (means of ", timings_.size(), " requests)");
  return text + "\n";
}

std::string PredictionReport::Summary(size_t columns) const {
  std::string text = absl::StrCat(rows(), rows() == 1 ? " row" : " rows", " by ",
                                  joined_.model_name, " version ", joined_.model_version);
  if (verdicts_) absl::StrAppend(&text, ", ", AccuracyText());
  if (!not_judged_.empty()) absl::StrAppend(&text, ", no accuracy: ", not_judged_);
  text += "\n";
  if (verdicts_ && verdicts_->labels.size() > 1) {
    Grid grid{.names = {"label", "positives", "accuracy", "F1", "ROC-AUC"}, .rows = {}};
    const auto number = [](const std::optional<double>& value) {
      return value ? absl::StrFormat("%.4f", *value) : std::string("-");
    };
    for (const LabelQuality& label : verdicts_->labels) {
      grid.rows.push_back({label.name, absl::StrCat(label.positives), number(label.accuracy),
                           number(label.f1), number(label.roc_auc)});
    }
    std::ostringstream table;
    WriteTable(grid, columns, table);
    text += table.str();
  }
  if (!timings_.empty()) text += TimingText();
  return text;
}

void PredictionReport::Write(const OutputStyle& style, int64_t limit, std::ostream& out) const {
  const int64_t count = limit == 0 ? rows() : std::min(limit, rows());
  if (style.format == OutputFormat::kJson) {
    WriteJson(count, out);
    return;
  }
  WriteRows(style, count, out);
  if (style.format == OutputFormat::kTable && count < rows()) {
    out << "... " << rows() - count << " more rows (--limit 0 prints all)\n";
  }
}

void PredictionReport::WriteRows(const OutputStyle& style, int64_t count, std::ostream& out) const {
  const bool exact = style.format == OutputFormat::kCsv;
  Grid grid{.names = {"row"}, .rows = std::vector<std::vector<std::string>>(count)};
  for (int64_t row = 0; row < count; ++row) grid.rows[row].push_back(absl::StrCat(row + 1));
  const auto add = [&grid](const std::string& name, const auto& cell) {
    grid.names.push_back(name);
    for (size_t row = 0; row < grid.rows.size(); ++row) grid.rows[row].push_back(cell(row));
  };
  for (const PredictionOutput& output : joined_.outputs) {
    const auto width = static_cast<size_t>(RowWidth(output));
    const auto rows_here = static_cast<size_t>(RowCount(output));
    for (size_t c = 0; c < width; ++c) {
      const std::string name =
          EntryName(output, static_cast<int64_t>(c), joined_.outputs.size() > 1);
      const auto add_floats = [&](const std::string& suffix, const std::vector<float>& values) {
        if (values.empty()) return;
        add(name + suffix, [&](size_t row) {
          return row < rows_here ? Text(values[row * width + c], exact) : "";
        });
      };
      add_floats("", output.probabilities);
      if (!output.int64_values.empty()) {
        add(name, [&](size_t row) {
          return row < rows_here ? absl::StrCat(output.int64_values[row * width + c]) : "";
        });
      }
      add_floats("_logit", output.logits);
      add_floats("_log_probability", output.log_probabilities);
      if (!output.decisions.empty()) {
        add(name + "_decision", [&](size_t row) {
          return row < rows_here && output.decisions[row * width + c] ? "1" : "0";
        });
      }
    }
  }
  for (size_t c = 0; c < label_names_.size(); ++c) {
    add(absl::StrCat("true_", label_names_[c]),
        [&](size_t row) { return labels_[row * label_names_.size() + c]; });
  }
  if (verdicts_ && exact) {
    add("right", [&](size_t row) { return verdicts_->right[row] ? "1" : "0"; });
  } else if (verdicts_) {
    add("", [&](size_t row) { return verdicts_->right[row] ? "" : "wrong"; });
  }
  if (exact) {
    WriteCsv(grid, out);
  } else {
    WriteTable(grid, style.columns, out);
  }
}

}  // namespace sigserve::cli
