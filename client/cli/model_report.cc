#include "client/cli/model_report.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/writers.h"

namespace sigserve::cli {
namespace {

using client::ModelInfo;
using client::ModelVersion;
using client::TensorSpec;
using nlohmann::ordered_json;

ordered_json VersionsJson(const std::vector<ModelVersion>& models) {
  ordered_json list = ordered_json::array();
  for (const ModelVersion& model : models) {
    ordered_json item{
        {"name", model.name}, {"version", model.version}, {"state", StateText(model.state)}};
    if (!model.reason.empty()) item["reason"] = model.reason;
    list.push_back(std::move(item));
  }
  return list;
}

ordered_json SpecsJson(const std::vector<TensorSpec>& specs) {
  ordered_json list = ordered_json::array();
  for (const TensorSpec& spec : specs) {
    ordered_json item{{"name", spec.name}, {"dtype", DataTypeText(spec.dtype)}};
    item["shape"] = spec.any_rank ? ordered_json() : ordered_json(spec.shape);
    if (spec.is_probability) item["is_probability"] = true;
    if (!spec.labels.empty()) item["labels"] = spec.labels;
    for (const float threshold : spec.thresholds) {
      item["thresholds"].push_back(ExactDouble(threshold));
    }
    list.push_back(std::move(item));
  }
  return list;
}

void Print(const ordered_json& root, std::ostream& out) {
  out << root.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
}

/// "[rows, 30]": dimension 0 of a batchable model is called what it is.
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

void WriteModels(const std::vector<ModelVersion>& models, OutputFormat format, std::ostream& out) {
  if (format == OutputFormat::kJson) {
    Print({{"models", VersionsJson(models)}}, out);
    return;
  }
  Grid grid{.names = {"model", "version", "state", "reason"}, .rows = {}};
  for (const ModelVersion& model : models) {
    grid.rows.push_back(
        {model.name, absl::StrCat(model.version), StateText(model.state), model.reason});
  }
  if (format == OutputFormat::kCsv) {
    WriteCsv(grid, out);
  } else if (models.empty()) {
    out << "no models in the repository\n";
  } else {
    WriteTable(grid, out);
  }
}

void WriteModel(const ModelInfo& model, OutputFormat format, std::ostream& out) {
  if (format == OutputFormat::kJson) {
    Print({{"name", model.name},
           {"version", model.version},
           {"batchable", model.batchable},
           {"inputs", SpecsJson(model.inputs)},
           {"outputs", SpecsJson(model.outputs)},
           {"versions", VersionsJson(model.versions)}},
          out);
    return;
  }
  Grid specs = SpecsGrid(model);
  if (format == OutputFormat::kCsv) {
    specs.names[0] = "kind";
    WriteCsv(specs, out);
    return;
  }
  out << model.name << " version " << model.version << ", "
      << (model.batchable ? "rows of several requests share a batch" : "one request at a time")
      << "\n\n";
  WriteTable(specs, out);
  out << "\n";
  WriteModels(model.versions, format, out);
}

}  // namespace sigserve::cli
