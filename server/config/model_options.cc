#include "server/config/model_options.h"

#include <cmath>
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

absl::Status ReadSigserveOptions(const inference::SigserveOptions& sigserve,
                                 ModelOptions* options) {
  for (const auto& output : sigserve.output()) {
    SIGSERVE_RETURN_IF_ERROR(ReadOutputOptions(output, options));
  }
  if (!inference::SigserveOptions::Precision_IsValid(sigserve.precision())) {
    return Bad("sigserve.precision is ", static_cast<int>(sigserve.precision()));
  }
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

// Fields of Triton's that change no answer: accepted, so that its configs can be used as they are.
std::vector<std::string> UnusedFields(const inference::ModelConfig& config) {
  std::vector<std::string> fields;
  if (config.instance_group_size() > 0) fields.emplace_back("instance_group");
  if (config.metric_tags_size() > 0) fields.emplace_back("metric_tags");
  if (config.has_dynamic_batching()) fields.emplace_back("dynamic_batching");
  if (config.parameters_size() > 0) fields.emplace_back("parameters");
  return fields;
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
  options.unused_fields = UnusedFields(config);
  return options;
}

}  // namespace sigserve
