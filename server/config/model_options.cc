#include "server/config/model_options.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "inference/model_config.pb.h"
#include "model/base/status_macros.h"
#include "server/config/textproto.h"

namespace sigserve {
namespace {

constexpr absl::string_view kFile = "config.pbtxt";

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(kFile, ": ", parts...));
}

// A name that stays in its directory.
absl::Status CheckFileName(absl::string_view field, absl::string_view name) {
  if (absl::StrContains(name, '/') || name == "." || name == ".." ||
      absl::StrContains(name, absl::string_view("\0", 1))) {
    return Bad(field, " is '", name, "'; expected a plain file name");
  }
  return absl::OkStatus();
}

absl::Status CheckNoControls(absl::string_view field, absl::string_view text) {
  for (const char c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      return Bad(field, " has a control character");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckEngine(const inference::ModelConfig& config) {
  static const std::set<std::string> kPlatforms = {"", "onnxruntime_onnx"};
  static const std::set<std::string> kBackends = {"", "onnxruntime", "sigserve"};
  if (kPlatforms.count(config.platform()) == 0) {
    return Bad("platform is '", config.platform(), "'; this server runs 'onnxruntime_onnx'");
  }
  if (kBackends.count(config.backend()) == 0) {
    return Bad("backend is '", config.backend(), "'; this server runs 'onnxruntime'");
  }
  if (!config.runtime().empty()) {
    return Bad("runtime is '", config.runtime(), "'; this server has one of its own: leave it out");
  }
  if (config.model_transaction_policy().decoupled()) {
    return Bad("model_transaction_policy.decoupled is true; this server answers once per request");
  }
  for (const auto& group : config.instance_group()) {
    if (group.kind() == inference::ModelInstanceGroup::KIND_GPU || group.gpus_size() > 0) {
      return Bad("instance_group asks for a GPU; this server runs on CPUs");
    }
    if (group.count() < 0) return Bad("instance_group.count is ", group.count());
  }
  return absl::OkStatus();
}

absl::StatusOr<VersionPolicy> ReadVersionPolicy(const inference::ModelVersionPolicy& policy) {
  VersionPolicy result;
  switch (policy.policy_choice_case()) {
    case inference::ModelVersionPolicy::kAll:
      result.kind = VersionPolicy::Kind::kAll;
      break;
    case inference::ModelVersionPolicy::kSpecific:
      result.kind = VersionPolicy::Kind::kSpecific;
      result.versions.assign(policy.specific().versions().begin(),
                             policy.specific().versions().end());
      if (result.versions.empty()) return Bad("version_policy.specific names no versions");
      for (const int64_t version : result.versions) {
        if (version <= 0) {
          return Bad("version_policy.specific.versions has ", version, "; expected at least 1");
        }
      }
      break;
    case inference::ModelVersionPolicy::kLatest:
      // Zero is what a message without the field says: one, as in Triton.
      if (policy.latest().num_versions() > 0) result.latest_count = policy.latest().num_versions();
      break;
    case inference::ModelVersionPolicy::POLICY_CHOICE_NOT_SET:
      break;
  }
  return result;
}

template <typename T>
absl::StatusOr<DeclaredTensor> ReadTensor(absl::string_view field, const T& tensor) {
  DeclaredTensor result;
  result.name = tensor.name();
  if (result.name.empty()) return Bad(field, ".name is missing");
  if (tensor.data_type() != inference::TYPE_INVALID) {
    result.data_type = inference::DataType_Name(tensor.data_type());
  }
  for (const int64_t size : tensor.dims()) {
    if (size < -1 || size == 0) {
      return Bad(field, " '", result.name, "': dims has ", size, "; expected -1 or at least 1");
    }
    result.dims.push_back(size);
  }
  return result;
}

OutputOptions* OutputNamed(const std::string& name, ModelOptions* options) {
  for (OutputOptions& output : options->output_options) {
    if (output.name == name) return &output;
  }
  options->output_options.push_back({});
  options->output_options.back().name = name;
  return &options->output_options.back();
}

absl::Status ReadInputOptions(const inference::SigserveOptions::Input& input,
                              ModelOptions* options) {
  for (const InputOptions& other : options->input_options) {
    if (other.name == input.name()) {
      return Bad("sigserve.input '", input.name(), "' is given twice");
    }
  }
  InputOptions& result = options->input_options.emplace_back();
  result.name = input.name();
  std::set<std::string> seen;
  for (const std::string& column : input.column_names()) {
    if (column.empty()) return Bad("sigserve.input '", input.name(), "': a column name is empty");
    SIGSERVE_RETURN_IF_ERROR(CheckNoControls("sigserve.input.column_names", column));
    if (!seen.insert(column).second) {
      return Bad("sigserve.input '", input.name(), "': column '", column, "' is given twice");
    }
    result.column_names.push_back(column);
  }
  return absl::OkStatus();
}

absl::Status ReadOutputOptions(const inference::SigserveOptions::Output& output,
                               ModelOptions* options) {
  for (const OutputOptions& other : options->output_options) {
    if (other.name == output.name()) {
      return Bad("sigserve.output '", output.name(), "' is given twice");
    }
  }
  OutputOptions* result = OutputNamed(output.name(), options);
  result->labels.assign(output.labels().begin(), output.labels().end());
  std::set<std::string> seen;
  for (const std::string& label : result->labels) {
    if (label.empty()) return Bad("sigserve.output '", output.name(), "': a label is empty");
    SIGSERVE_RETURN_IF_ERROR(CheckNoControls("sigserve.output.labels", label));
    if (!seen.insert(label).second) {
      return Bad("sigserve.output '", output.name(), "': label '", label, "' is given twice");
    }
  }
  result->thresholds.assign(output.thresholds().begin(), output.thresholds().end());
  for (const float threshold : result->thresholds) {
    if (!(threshold >= 0.0F && threshold <= 1.0F)) {  // NaN too
      return Bad("sigserve.output '", output.name(), "': thresholds has ", threshold,
                 "; expected 0 to 1");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadNumerics(const inference::SigserveOptions& sigserve, NumericsOptions* numerics) {
  if (!inference::SigserveOptions::Precision_IsValid(sigserve.precision())) {
    return Bad("sigserve.precision is ", static_cast<int>(sigserve.precision()));
  }
  numerics->bf16 = sigserve.precision() == inference::SigserveOptions::BF16;
  numerics->fast_math = sigserve.fast_math();
  const float change = sigserve.max_probability_change();
  if (!(change >= 0 && change <= 1)) {  // NaN too
    return Bad("sigserve.max_probability_change is ", change, "; expected 0 to 1");
  }
  if (change > 0) numerics->max_probability_change = change;
  return absl::OkStatus();
}

absl::Status ReadSigserveOptions(const inference::SigserveOptions& sigserve,
                                 ModelOptions* options) {
  for (const auto& input : sigserve.input()) {
    SIGSERVE_RETURN_IF_ERROR(ReadInputOptions(input, options));
  }
  for (const auto& output : sigserve.output()) {
    SIGSERVE_RETURN_IF_ERROR(ReadOutputOptions(output, options));
  }
  SIGSERVE_RETURN_IF_ERROR(ReadNumerics(sigserve, &options->numerics));
  constexpr uint64_t kMaxLatency = 3'600'000'000;
  if (sigserve.latency_target_microseconds() > kMaxLatency) {
    return Bad("sigserve.latency_target_microseconds is ", sigserve.latency_target_microseconds(),
               "; expected at most ", kMaxLatency, " (an hour)");
  }
  if (sigserve.latency_target_microseconds() > 0) {
    options->queue.latency_target =
        absl::Microseconds(static_cast<int64_t>(sigserve.latency_target_microseconds()));
  }
  constexpr float kMinWeight = 0.001F;
  constexpr float kMaxWeight = 1000;
  const float weight = sigserve.weight() == 0 ? 1 : sigserve.weight();
  if (!(weight >= kMinWeight && weight <= kMaxWeight)) {  // NaN too
    return Bad("sigserve.weight is ", weight, "; expected ", kMinWeight, " to ", kMaxWeight);
  }
  options->queue.weight = weight;
  options->outputs_are_logits = sigserve.outputs_are_logits();
  options->forbid_nan = sigserve.forbid_nan();
  for (const auto& [label, version] : sigserve.version_labels()) {
    if (label.empty()) return Bad("sigserve.version_labels has an empty key");
    SIGSERVE_RETURN_IF_ERROR(CheckNoControls("sigserve.version_labels", label));
    if (version <= 0) {
      return Bad("sigserve.version_labels['", label, "'] is ", version, "; expected at least 1");
    }
    options->version_labels[label] = version;
  }
  return absl::OkStatus();
}

absl::Status ReadPriorities(const inference::ModelDynamicBatching& batching,
                            ModelOptions* options) {
  constexpr uint64_t kMaxLevels = std::numeric_limits<int>::max();
  if (batching.priority_levels() == 0) return absl::OkStatus();
  const uint64_t levels = std::min(batching.priority_levels(), kMaxLevels);
  const uint64_t otherwise = batching.default_priority_level();
  if (otherwise < 1 || otherwise > levels) {
    return Bad("dynamic_batching.default_priority_level is ", otherwise, "; expected 1 to ",
               levels);
  }
  options->queue.priority_levels = static_cast<int>(levels);
  options->queue.default_priority = static_cast<int>(otherwise);
  options->notes.push_back(absl::StrCat(
      "dynamic_batching.priority_levels ", levels,
      ": of requests that wait for a compute thread, those of the lowest number run first"));
  if (batching.priority_queue_policy_size() > 0) {
    options->notes.emplace_back(
        "dynamic_batching.priority_queue_policy has no effect: default_queue_policy holds for all");
  }
  return absl::OkStatus();
}

// Triton's batcher waits to fill batches; ours takes what is there. What can be kept of its
// settings is; the notes say which.
absl::Status ReadDynamicBatching(const inference::ModelDynamicBatching& batching,
                                 ModelOptions* options) {
  std::vector<std::string>& notes = options->notes;
  const auto note = [&](absl::string_view field, const auto&... parts) {
    notes.push_back(absl::StrCat("dynamic_batching.", field, parts...));
  };
  if (batching.preferred_batch_size_size() > 0) {
    note("preferred_batch_size has no effect: a batch is what waits when a thread is free");
  }
  if (batching.max_queue_delay_microseconds() > 0) {
    note("max_queue_delay_microseconds has no effect: there is no batching delay");
  }
  if (batching.preserve_ordering()) {
    note("preserve_ordering has no effect: ModelStreamInfer always answers in order");
  }
  SIGSERVE_RETURN_IF_ERROR(ReadPriorities(batching, options));
  const inference::ModelQueuePolicy& policy = batching.default_queue_policy();
  const uint64_t timeout = policy.default_timeout_microseconds();
  constexpr uint64_t kMaxMicroseconds = uint64_t{1} << 53;
  if (timeout > kMaxMicroseconds) {
    return Bad("dynamic_batching.default_queue_policy.default_timeout_microseconds is ", timeout);
  }
  if (timeout > 0 && policy.timeout_action() == inference::ModelQueuePolicy::DELAY) {
    note(
        "default_queue_policy: timeout_action DELAY has no effect; late requests are refused by "
        "their own deadlines only");
  } else if (timeout > 0) {
    options->queue.max_wait = absl::Microseconds(static_cast<int64_t>(timeout));
    note("default_queue_policy.default_timeout_microseconds ", timeout,
         ": requests that wait longer for a compute thread are refused (RESOURCE_EXHAUSTED)");
  }
  if (policy.max_queue_size() > 0) {
    options->queue.max_requests = policy.max_queue_size();
    note("default_queue_policy.max_queue_size ", policy.max_queue_size(),
         ": more requests than that do not wait for a compute thread (RESOURCE_EXHAUSTED)");
  }
  if (notes.empty()) notes.emplace_back("dynamic_batching: batches are formed without being asked");
  return absl::OkStatus();
}

// Fields of Triton's that change no answer: accepted, so that its configs can be used as they are.
absl::Status ReadOtherFields(const inference::ModelConfig& config, ModelOptions* options) {
  if (config.has_dynamic_batching()) {
    SIGSERVE_RETURN_IF_ERROR(ReadDynamicBatching(config.dynamic_batching(), options));
  }
  const auto unused = [&](bool given, absl::string_view field) {
    if (given) options->notes.push_back(absl::StrCat(field, " has no effect here"));
  };
  unused(config.instance_group_size() > 0, "instance_group");
  unused(config.metric_tags_size() > 0, "metric_tags");
  unused(config.parameters_size() > 0, "parameters");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelOptions> ParseModelConfig(absl::string_view text, absl::string_view model) {
  inference::ModelConfig config;
  SIGSERVE_RETURN_IF_ERROR(ParseTextProto(text, kFile, &config));
  if (!config.name().empty() && model != config.name()) {
    return Bad("name is '", config.name(), "'; expected the directory's name '", model, "'");
  }
  SIGSERVE_RETURN_IF_ERROR(CheckEngine(config));

  ModelOptions options;
  if (!config.default_model_filename().empty()) {
    options.model_filename = config.default_model_filename();
    SIGSERVE_RETURN_IF_ERROR(CheckFileName("default_model_filename", options.model_filename));
  }
  SIGSERVE_ASSIGN_OR_RETURN(options.version_policy, ReadVersionPolicy(config.version_policy()));
  if (config.has_max_batch_size()) {
    if (config.max_batch_size() < 0) {
      return Bad("max_batch_size is ", config.max_batch_size(), "; expected at least 0");
    }
    options.max_batch_size = config.max_batch_size();
  }
  for (const auto& input : config.input()) {
    SIGSERVE_ASSIGN_OR_RETURN(DeclaredTensor tensor, ReadTensor("input", input));
    if (input.optional()) {
      return Bad("input '", tensor.name, "': optional is true; this server needs every input");
    }
    options.inputs.push_back(std::move(tensor));
  }
  if (config.has_sigserve()) {
    SIGSERVE_RETURN_IF_ERROR(ReadSigserveOptions(config.sigserve(), &options));
  }
  for (const auto& output : config.output()) {
    SIGSERVE_ASSIGN_OR_RETURN(DeclaredTensor tensor, ReadTensor("output", output));
    if (!output.label_filename().empty()) {
      SIGSERVE_RETURN_IF_ERROR(CheckFileName("label_filename", output.label_filename()));
      OutputOptions* labelled = OutputNamed(tensor.name, &options);
      if (!labelled->labels.empty()) {
        return Bad("output '", tensor.name, "': both label_filename and sigserve labels are given");
      }
      labelled->label_filename = output.label_filename();
    }
    options.outputs.push_back(std::move(tensor));
  }
  SIGSERVE_RETURN_IF_ERROR(ReadOtherFields(config, &options));
  return options;
}

}  // namespace sigserve
