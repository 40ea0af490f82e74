// PredictionReport::WriteJson: the joined answer as one line of JSON.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/json_writer.h"
#include "client/cli/prediction_report.h"

namespace sigserve::cli {
namespace {

using client::PredictionOutput;

/// Nested arrays of the shape, the form that json_reader takes. `element(i)` writes element i.
template <typename Element>
void WriteNested(const std::vector<int64_t>& shape, size_t depth, size_t* at,
                 const Element& element, JsonWriter* json) {
  if (depth == shape.size()) {
    element((*at)++);
    return;
  }
  json->BeginArray();
  for (int64_t i = 0; i < shape[depth]; ++i) WriteNested(shape, depth + 1, at, element, json);
  json->EndArray();
}

/// Writes `values` under `key`; nothing if there are none. `write(value)` writes one.
template <typename T, typename Write>
void WriteValues(const char* key, const std::vector<int64_t>& shape, const std::vector<T>& values,
                 const Write& write, JsonWriter* json) {
  if (values.empty()) return;
  json->Key(key);
  size_t at = 0;
  WriteNested(
      shape, 0, &at, [&](size_t i) { write(values[i]); }, json);
}

void WriteOutput(const PredictionOutput& output, int64_t count, JsonWriter* json) {
  std::vector<int64_t> shape = output.shape;
  if (!shape.empty()) shape[0] = std::min(shape[0], count);
  const auto number = [json](float value) { json->Number(value); };
  json->BeginObject();
  json->Key("name").Text(output.name);
  json->Key("shape").BeginArray();
  for (const int64_t size : shape) json->Integer(size);
  json->EndArray();
  if (!output.labels.empty()) json->Key("labels").Texts(output.labels);
  WriteValues(output.is_probability ? "probabilities" : "values", shape, output.probabilities,
              number, json);
  WriteValues(
      "values", shape, output.int64_values, [json](int64_t value) { json->Integer(value); }, json);
  WriteValues("logits", shape, output.logits, number, json);
  WriteValues("log_probabilities", shape, output.log_probabilities, number, json);
  WriteValues(
      "decisions", shape, output.decisions, [json](bool value) { json->Bool(value); }, json);
  json->EndObject();
}

void WriteVerdicts(const Verdicts& verdicts, JsonWriter* json) {
  json->Key("accuracy").Number(verdicts.accuracy);
  if (verdicts.labels.empty()) return;
  json->Key("labels").BeginArray();
  for (const LabelQuality& label : verdicts.labels) {
    json->BeginObject();
    json->Key("name").Text(label.name);
    json->Key("positives").Integer(label.positives);
    json->Key("accuracy").Number(label.accuracy);
    if (label.f1) json->Key("f1").Number(*label.f1);
    if (label.roc_auc) json->Key("roc_auc").Number(*label.roc_auc);
    json->EndObject();
  }
  json->EndArray();
}

}  // namespace

void PredictionReport::WriteJson(int64_t count, std::ostream& out) const {
  JsonWriter json(out, JsonWriter::Style::kOneLine);
  json.BeginObject();
  json.Key("model").Text(joined_.model_name);
  json.Key("version").Integer(joined_.model_version);
  json.Key("rows").Integer(rows());
  json.Key("outputs").BeginArray();
  for (const PredictionOutput& output : joined_.outputs) WriteOutput(output, count, &json);
  json.EndArray();
  if (!label_names_.empty()) {
    json.Key("true_labels").BeginObject();
    for (size_t c = 0; c < label_names_.size(); ++c) {
      json.Key(label_names_[c]).BeginArray();
      for (int64_t row = 0; row < count; ++row) json.Text(labels_[row * label_names_.size() + c]);
      json.EndArray();
    }
    json.EndObject();
  }
  if (verdicts_) WriteVerdicts(*verdicts_, &json);
  if (!timings_.empty()) {
    json.Key("timing").BeginArray();
    for (const client::Timing& timing : timings_) {
      json.BeginObject();
      json.Key("queued_us").Number(timing.queued_us);
      json.Key("computed_us").Number(timing.computed_us);
      json.Key("batch_rows").Integer(timing.batch_rows);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  out << "\n";
}

}  // namespace sigserve::cli
