#include "client/cli/model_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/json_writer.h"
#include "client/cli/writers.h"

namespace sigserve::cli {
namespace {

using client::ModelInfo;
using client::ModelVersion;
using client::TensorSpec;

void WriteVersionsJson(const std::vector<ModelVersion>& models, JsonWriter* json) {
  json->BeginArray();
  for (const ModelVersion& model : models) {
    json->BeginObject();
    json->Key("name").Text(model.name);
    json->Key("version").Integer(model.version);
    json->Key("state").Text(StateText(model.state));
    if (!model.reason.empty()) json->Key("reason").Text(model.reason);
    json->EndObject();
  }
  json->EndArray();
}

void WriteSpecJson(const TensorSpec& spec, JsonWriter* json) {
  json->BeginObject();
  json->Key("name").Text(spec.name);
  json->Key("dtype").Text(DataTypeText(spec.dtype));
  json->Key("shape");
  if (spec.any_rank) {
    json->Null();
  } else {
    json->BeginArray();
    for (const int64_t size : spec.shape) json->Integer(size);
    json->EndArray();
  }
  if (spec.is_probability) json->Key("is_probability").Bool(true);
  if (!spec.column_names.empty()) json->Key("column_names").Texts(spec.column_names);
  if (!spec.labels.empty()) json->Key("labels").Texts(spec.labels);
  if (!spec.thresholds.empty()) {
    json->Key("thresholds").BeginArray();
    for (const float threshold : spec.thresholds) json->Number(threshold);
    json->EndArray();
  }
  json->EndObject();
}

void WriteSpecsJson(const std::vector<TensorSpec>& specs, JsonWriter* json) {
  json->BeginArray();
  for (const TensorSpec& spec : specs) WriteSpecJson(spec, json);
  json->EndArray();
}

void WriteModelJson(const ModelInfo& model, std::ostream& out) {
  JsonWriter json(out, JsonWriter::Style::kIndented);
  json.BeginObject();
  json.Key("name").Text(model.name);
  json.Key("version").Integer(model.version);
  json.Key("batchable").Bool(model.batchable);
  json.Key("inputs");
  WriteSpecsJson(model.inputs, &json);
  json.Key("outputs");
  WriteSpecsJson(model.outputs, &json);
  json.Key("versions");
  WriteVersionsJson(model.versions, &json);
  json.EndObject();
  out << "\n";
}

/// "[rows, 30]": dimension 0 of a batchable model is its rows.
std::string ShapeText(const TensorSpec& spec, bool batchable) {
  if (spec.any_rank) return "any";
  std::vector<std::string> sizes;
  for (size_t d = 0; d < spec.shape.size(); ++d) {
    sizes.push_back(spec.shape[d] >= 0    ? absl::StrCat(spec.shape[d])
                    : d == 0 && batchable ? "rows"
                                          : "any");
  }
  return absl::StrCat("[", absl::StrJoin(sizes, ", "), "]");
}

Grid SpecsGrid(const ModelInfo& model) {
  Grid grid{.names = {"", "name", "dtype", "shape", "labels", "thresholds"}, .rows = {}};
  const auto add = [&](const char* kind, const TensorSpec& spec) {
    grid.rows.push_back({absl::StrCat(kind, spec.is_probability ? " (probability)" : ""), spec.name,
                         DataTypeText(spec.dtype), ShapeText(spec, model.batchable),
                         absl::StrJoin(spec.labels, ", "),
                         absl::StrJoin(spec.thresholds, ", ", [](std::string* to, float value) {
                           absl::StrAppend(to, ExactText(value));
                         })});
  };
  for (const TensorSpec& input : model.inputs) add("input", input);
  for (const TensorSpec& output : model.outputs) add("output", output);
  return grid;
}

}  // namespace

std::string StateText(client::ModelState state) {
  switch (state) {
    case client::ModelState::kLoading:
      return "LOADING";
    case client::ModelState::kReady:
      return "READY";
    case client::ModelState::kFailed:
      return "FAILED";
    case client::ModelState::kIgnored:
      return "IGNORED";
    case client::ModelState::kUnspecified:
      break;
  }
  return "UNKNOWN";
}

std::string DataTypeText(client::DataType dtype) {
  switch (dtype) {
    case client::DataType::kFloat32:
      return "FLOAT32";
    case client::DataType::kFloat64:
      return "FLOAT64";
    case client::DataType::kInt32:
      return "INT32";
    case client::DataType::kInt64:
      return "INT64";
    case client::DataType::kBool:
      return "BOOL";
    case client::DataType::kUnspecified:
      break;
  }
  return "UNKNOWN";
}

void WriteModels(const std::vector<ModelVersion>& models, const OutputStyle& style,
                 std::ostream& out) {
  if (style.format == OutputFormat::kJson) {
    JsonWriter json(out, JsonWriter::Style::kIndented);
    json.BeginObject().Key("models");
    WriteVersionsJson(models, &json);
    json.EndObject();
    out << "\n";
    return;
  }
  Grid grid{.names = {"model", "version", "state", "reason"}, .rows = {}};
  for (const ModelVersion& model : models) {
    grid.rows.push_back(
        {model.name, absl::StrCat(model.version), StateText(model.state), model.reason});
  }
  if (style.format == OutputFormat::kCsv) {
    WriteCsv(grid, out);
  } else if (models.empty()) {
    out << "no models in the repository\n";
  } else {
    WriteTable(grid, style.columns, out);
  }
}

void WriteModel(const ModelInfo& model, const OutputStyle& style, std::ostream& out) {
  if (style.format == OutputFormat::kJson) {
    WriteModelJson(model, out);
    return;
  }
  Grid specs = SpecsGrid(model);
  if (style.format == OutputFormat::kCsv) {
    specs.names[0] = "kind";
    WriteCsv(specs, out);
    return;
  }
  out << model.name << " version " << model.version << ", "
      << (model.batchable ? "rows of several requests share a batch" : "one request at a time")
      << "\n\n";
  WriteTable(specs, style.columns, out);
  out << "\n";
  WriteModels(model.versions, style, out);
}

}  // namespace sigserve::cli
