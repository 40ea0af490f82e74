#include "client/cli/prediction_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/verdicts.h"
#include "client/cli/writers.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

using client::PredictionOutput;
using nlohmann::ordered_json;

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
      absl::StrCat("output '", output.name, "': the answer's values do not fit its shape"));
}

/// Nested arrays of the shape, the way the reader takes them.
template <typename Element>
ordered_json Nest(const std::vector<int64_t>& shape, size_t depth, size_t* at,
                  const Element& element) {
  if (depth == shape.size()) return element((*at)++);
  ordered_json list = ordered_json::array();
  for (int64_t i = 0; i < shape[depth]; ++i) list.push_back(Nest(shape, depth + 1, at, element));
  return list;
}

ordered_json NestFloats(const std::vector<int64_t>& shape, const std::vector<float>& values) {
  size_t at = 0;
  return Nest(shape, 0, &at, [&values](size_t i) { return ExactDouble(values[i]); });
}

/// What one entry of an output's rows is called.
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
  // A tiny probability is not nothing, a huge raw value no row of digits.
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
  if (!same) return absl::InternalError("the outputs of one request differ from another's");
  return absl::OkStatus();
}

void PredictionReport::Judge(const InputData& data, const client::ModelInfo& model) {
  if (data.label_names.empty()) return;
  label_names_ = data.label_names;
  labels_ = data.labels;
  auto right =
      JudgeRows(joined_.outputs, model, labels_, static_cast<int64_t>(label_names_.size()));
  if (right.ok()) {
    right_ = *std::move(right);
  } else {
    not_judged_ = std::string(right.status().message());
  }
}

int64_t PredictionReport::rows() const {
  return joined_.outputs.empty() ? 0 : RowCount(joined_.outputs[0]);
}

std::string PredictionReport::Summary() const {
  std::string text = absl::StrCat(rows(), rows() == 1 ? " row" : " rows", " by ",
                                  joined_.model_name, " version ", joined_.model_version);
  if (!right_.empty()) {
    const auto wrong = std::count(right_.begin(), right_.end(), false);
    const auto total = static_cast<double>(right_.size());
    absl::StrAppendFormat(&text, ", accuracy %.4f (%d wrong)",
                          (total - static_cast<double>(wrong)) / total, wrong);
  }
  if (!not_judged_.empty()) absl::StrAppend(&text, ", no accuracy: ", not_judged_);
  text += "\n";
  if (!timings_.empty()) {
    client::Timing mean;
    const auto n = static_cast<double>(timings_.size());
    double batch = 0;
    for (const client::Timing& timing : timings_) {
      mean.queued_us += timing.queued_us / n;
      mean.computed_us += timing.computed_us / n;
      batch += static_cast<double>(timing.batch_rows) / n;
    }
    absl::StrAppendFormat(&text, "server: queued %.1f us, computed %.1f us, batch of %g rows",
                          mean.queued_us, mean.computed_us, batch);
    if (timings_.size() > 1) absl::StrAppend(&text, " (means of ", timings_.size(), " requests)");
    text += "\n";
  }
  return text;
}

void PredictionReport::Write(OutputFormat format, int64_t limit, std::ostream& out) const {
  const int64_t count = limit == 0 ? rows() : std::min(limit, rows());
  if (format == OutputFormat::kJson) {
    WriteJson(count, out);
    return;
  }
  WriteRows(format, count, out);
  if (format == OutputFormat::kTable && count < rows()) {
    out << "... " << rows() - count << " more rows (--limit 0 prints all)\n";
  }
}

void PredictionReport::WriteRows(OutputFormat format, int64_t count, std::ostream& out) const {
  const bool exact = format == OutputFormat::kCsv;
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
  if (!right_.empty() && exact) add("right", [&](size_t row) { return right_[row] ? "1" : "0"; });
  if (!right_.empty() && !exact) add("", [&](size_t row) { return right_[row] ? "" : "wrong"; });
  if (exact) {
    WriteCsv(grid, out);
  } else {
    WriteTable(grid, out);
  }
}

void PredictionReport::WriteJson(int64_t count, std::ostream& out) const {
  ordered_json root;
  root["model"] = joined_.model_name;
  root["version"] = joined_.model_version;
  root["rows"] = rows();
  for (const PredictionOutput& output : joined_.outputs) {
    std::vector<int64_t> shape = output.shape;
    if (!shape.empty()) shape[0] = std::min(shape[0], count);
    ordered_json item{{"name", output.name}, {"shape", shape}};
    if (!output.labels.empty()) item["labels"] = output.labels;
    if (!output.probabilities.empty()) {
      item[output.is_probability ? "probabilities" : "values"] =
          NestFloats(shape, output.probabilities);
    }
    size_t at = 0;
    if (!output.int64_values.empty()) {
      item["values"] = Nest(shape, 0, &at, [&](size_t i) { return output.int64_values[i]; });
    }
    if (!output.logits.empty()) item["logits"] = NestFloats(shape, output.logits);
    if (!output.log_probabilities.empty()) {
      item["log_probabilities"] = NestFloats(shape, output.log_probabilities);
    }
    at = 0;
    if (!output.decisions.empty()) {
      item["decisions"] = Nest(shape, 0, &at, [&](size_t i) { return bool{output.decisions[i]}; });
    }
    root["outputs"].push_back(std::move(item));
  }
  for (size_t c = 0; c < label_names_.size(); ++c) {
    ordered_json column = ordered_json::array();
    for (int64_t row = 0; row < count; ++row) {
      column.push_back(labels_[row * label_names_.size() + c]);
    }
    root["true_labels"][label_names_[c]] = std::move(column);
  }
  if (!right_.empty()) {
    root["accuracy"] = static_cast<double>(std::count(right_.begin(), right_.end(), true)) /
                       static_cast<double>(right_.size());
  }
  for (const client::Timing& timing : timings_) {
    root["timing"].push_back({{"queued_us", timing.queued_us},
                              {"computed_us", timing.computed_us},
                              {"batch_rows", timing.batch_rows}});
  }
  // Names may come from files in any encoding: replace what is no UTF-8 instead of throwing.
  out << root.dump(-1, ' ', false, ordered_json::error_handler_t::replace) << "\n";
}

}  // namespace sigserve::cli
