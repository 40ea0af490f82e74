#include "server/training/job_json.h"

#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace sigserve {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<JobState, const char*>, 5> kStates = {{
    {JobState::kQueued, "QUEUED"},
    {JobState::kRunning, "RUNNING"},
    {JobState::kSucceeded, "SUCCEEDED"},
    {JobState::kFailed, "FAILED"},
    {JobState::kCancelled, "CANCELLED"},
}};

std::string StateName(JobState state) {
  for (const auto& [value, name] : kStates) {
    if (value == state) return name;
  }
  return "?";
}

std::optional<JobState> StateNamed(const std::string& name) {
  for (const auto& [value, text] : kStates) {
    if (name == text) return value;
  }
  return std::nullopt;
}

// A time that is not set (the epoch) is left out.
void PutTime(Json* json, const char* key, absl::Time time) {
  if (time != absl::Time()) (*json)[key] = absl::ToUnixMillis(time);
}

absl::Time GetTime(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() ? absl::Time() : absl::FromUnixMillis(found->get<int64_t>());
}

void PutOptional(Json* json, const char* key, const std::optional<double>& value) {
  if (value.has_value()) (*json)[key] = *value;
}

std::optional<double> GetOptional(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::nullopt;
  return found->get<double>();
}

Json EncodeEpoch(const EpochMetrics& epoch) {
  Json json;
  json["epoch"] = epoch.epoch;
  json["training_loss"] = epoch.training_loss;
  PutOptional(&json, "validation_loss", epoch.validation_loss);
  PutOptional(&json, "validation_accuracy", epoch.validation_accuracy);
  PutOptional(&json, "validation_roc_auc", epoch.validation_roc_auc);
  json["elapsed_seconds"] = absl::ToDoubleSeconds(epoch.elapsed);
  return json;
}

EpochMetrics DecodeEpoch(const Json& json) {
  EpochMetrics epoch;
  epoch.epoch = json.at("epoch").get<int64_t>();
  epoch.training_loss = GetOptional(json, "training_loss").value_or(0);
  epoch.validation_loss = GetOptional(json, "validation_loss");
  epoch.validation_accuracy = GetOptional(json, "validation_accuracy");
  epoch.validation_roc_auc = GetOptional(json, "validation_roc_auc");
  epoch.elapsed = absl::Seconds(json.at("elapsed_seconds").get<double>());
  return epoch;
}

std::string Dump(const Json& json) {
  // Messages may quote bytes of a file: replaced where they are no UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

const char* NameOf(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return "relu";
    case Activation::kTanh:
      return "tanh";
    case Activation::kSigmoid:
      return "sigmoid";
  }
  return "?";
}

Json EncodeOptimizer(const OptimizerSpec& optimizer) {
  if (const AdamSpec* adam = std::get_if<AdamSpec>(&optimizer)) {
    return {{"kind", "adam"},           {"learning_rate", adam->learning_rate},
            {"beta1", adam->beta1},     {"beta2", adam->beta2},
            {"epsilon", adam->epsilon}, {"weight_decay", adam->weight_decay}};
  }
  const SgdSpec& sgd = std::get<SgdSpec>(optimizer);
  return {{"kind", "sgd"},
          {"learning_rate", sgd.learning_rate},
          {"momentum", sgd.momentum},
          {"weight_decay", sgd.weight_decay},
          {"nesterov", sgd.nesterov}};
}

Json EncodeSpec(const TrainSpec& spec) {
  return {{"feature_count", spec.feature_count},
          {"label_count", spec.label_count},
          {"hidden_units", spec.architecture.hidden_units},
          {"activation", NameOf(spec.architecture.activation)},
          {"optimizer", EncodeOptimizer(spec.optimizer)},
          {"epochs", spec.schedule.epochs},
          {"batch_size", spec.schedule.batch_size},
          {"validation_fraction", spec.schedule.validation_fraction},
          {"shuffle", spec.schedule.shuffle},
          {"standardize", spec.standardize},
          {"positive_weights", spec.positive_weights}};
}

JobRecord DecodeOrThrow(const Json& json) {
  JobRecord record;
  JobStatus& status = record.status;
  status.id = json.at("id").get<std::string>();
  status.model = json.at("model").get<std::string>();
  const std::string state = json.at("state").get<std::string>();
  const std::optional<JobState> known = StateNamed(state);
  if (!known.has_value()) throw std::invalid_argument(absl::StrCat("state '", state, "'"));
  status.state = *known;
  status.message = json.value("message", std::string());
  status.created = GetTime(json, "created_unix_ms");
  status.started = GetTime(json, "started_unix_ms");
  status.ended = GetTime(json, "ended_unix_ms");
  status.epochs_done = json.value("epochs_done", int64_t{0});
  status.epochs_total = json.value("epochs_total", int64_t{0});
  status.published_version = json.value("published_version", int64_t{0});
  status.training_rows = json.value("training_rows", int64_t{0});
  status.validation_rows = json.value("validation_rows", int64_t{0});
  status.seed = json.value("seed", uint64_t{0});
  if (json.contains("last_epoch")) status.last_epoch = DecodeEpoch(json.at("last_epoch"));
  record.last_event = json.value("last_event", int64_t{0});
  return record;
}

}  // namespace

std::string EncodeRecord(const JobRecord& record) {
  const JobStatus& status = record.status;
  Json json;
  json["id"] = status.id;
  json["model"] = status.model;
  json["state"] = StateName(status.state);
  json["message"] = status.message;
  PutTime(&json, "created_unix_ms", status.created);
  PutTime(&json, "started_unix_ms", status.started);
  PutTime(&json, "ended_unix_ms", status.ended);
  json["epochs_done"] = status.epochs_done;
  json["epochs_total"] = status.epochs_total;
  json["published_version"] = status.published_version;
  json["training_rows"] = status.training_rows;
  json["validation_rows"] = status.validation_rows;
  json["seed"] = status.seed;
  if (status.last_epoch.has_value()) json["last_epoch"] = EncodeEpoch(*status.last_epoch);
  json["last_event"] = record.last_event;
  return Dump(json);
}

absl::StatusOr<JobRecord> DecodeRecord(absl::string_view text) {
  try {
    return DecodeOrThrow(Json::parse(text.begin(), text.end()));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not a job's record: ", error.what()));
  }
}

std::string DescribeTraining(const JobStatus& status, const TrainSpec& spec) {
  Json json;
  json["model"] = status.model;
  json["job"] = status.id;
  json["created_unix_ms"] = absl::ToUnixMillis(status.created);
  json["seed"] = status.seed;
  json["training_rows"] = status.training_rows;
  json["validation_rows"] = status.validation_rows;
  json["spec"] = EncodeSpec(spec);
  if (status.last_epoch.has_value()) json["metrics"] = EncodeEpoch(*status.last_epoch);
  return Dump(json);
}

std::string ModelConfigText(const std::vector<std::string>& label_names, bool new_model) {
  std::string text;
  if (new_model) absl::StrAppend(&text, "version_policy { latest { num_versions: 2 } }\n");
  if (!label_names.empty()) {
    absl::StrAppend(&text, "sigserve {\n  output {\n");
    for (const std::string& label : label_names) {
      absl::StrAppend(&text, "    labels: \"", absl::CEscape(label), "\"\n");
    }
    absl::StrAppend(&text, "  }\n}\n");
  }
  return text;
}

}  // namespace sigserve
