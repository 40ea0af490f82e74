#include "server/services/inference_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/codec/model_codec.h"
#include "server/rpc/status.h"

namespace sigserve {
namespace {

absl::StatusOr<ServableHandle> FindVersion(const ModelRegistry& registry, const std::string& model,
                                           const std::string& version) {
  SIGSERVE_ASSIGN_OR_RETURN(const ModelQuery query, DecodeQuery(model, version));
  return registry.Find(query);
}

/// Triton's clients fill field 2 with the model, KServe's field 1.
template <typename Request>
const std::string& ModelOf(const Request& request) {
  return request.model_name().empty() ? request.repository_name() : request.model_name();
}

void EncodeDuration(int64_t count, absl::Duration total, inference::StatisticDuration* to) {
  to->set_count(static_cast<uint64_t>(count));
  to->set_ns(static_cast<uint64_t>(absl::ToInt64Nanoseconds(total)));
}

void EncodeStatistics(const VersionStatistics& from, inference::ModelStatistics* to) {
  to->set_name(from.model);
  to->set_version(absl::StrCat(from.version));
  to->set_last_inference(static_cast<uint64_t>(absl::ToUnixMillis(from.last_inference)));
  to->set_inference_count(static_cast<uint64_t>(from.rows));
  to->set_execution_count(static_cast<uint64_t>(from.batches));
  inference::InferStatistics* times = to->mutable_inference_stats();
  EncodeDuration(from.successes, from.success_time, times->mutable_success());
  EncodeDuration(from.failures, from.failure_time, times->mutable_fail());
  EncodeDuration(from.successes, from.queued, times->mutable_queue());
  EncodeDuration(from.successes, from.computed, times->mutable_compute_infer());
  // Decoding and encoding are not timed apart: all that is neither queue nor compute is output.
  EncodeDuration(from.successes, absl::ZeroDuration(), times->mutable_compute_input());
  EncodeDuration(from.successes,
                 std::max(absl::ZeroDuration(), from.success_time - from.queued - from.computed),
                 times->mutable_compute_output());
}

absl::Status NoSharedMemory() {
  return absl::UnimplementedError(
      "shared-memory regions are not served: send tensors in the request");
}

/// Tools set what they rely on: a value that the setting has anyway is fine. One without a value
/// asks for the default (Triton), which it has.
template <typename Wanted, typename Present>
absl::Status CheckUnchanged(const Wanted& wanted, const Present& present, const char* why) {
  for (const auto& [name, value] : wanted) {
    const auto found = present.find(name);
    if (found == present.end() ||
        (value.ByteSizeLong() > 0 &&
         value.SerializeAsString() != found->second.SerializeAsString())) {
      return absl::UnimplementedError(
          absl::StrCat(why, ": setting ", Quote(name), " cannot be changed"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

InferenceService::InferenceService(ModelRegistry* registry, const StatisticsRecorder* statistics,
                                   CallsInProgress* loads, ServerInfo info)
    : registry_(registry), statistics_(statistics), loads_(loads), info_(std::move(info)) {}

std::vector<ServiceMethod> InferenceService::Methods() {
#define SIGSERVE_RPC(rpc, runs_on)                                                      \
  FunctionMethod("/inference.GRPCInferenceService/" #rpc, this, &InferenceService::rpc, \
                 RunsOn::runs_on)
  return {SIGSERVE_RPC(ServerLive, kIoThread),
          SIGSERVE_RPC(ServerReady, kIoThread),
          SIGSERVE_RPC(ModelReady, kIoThread),
          SIGSERVE_RPC(ServerMetadata, kControlThread),
          SIGSERVE_RPC(ModelMetadata, kControlThread),
          SIGSERVE_RPC(ModelConfig, kControlThread),
          SIGSERVE_RPC(ModelStatistics, kControlThread),
          SIGSERVE_RPC(RepositoryIndex, kControlThread),
          SIGSERVE_RPC(RepositoryModelLoad, kLoadThread),
          SIGSERVE_RPC(RepositoryModelUnload, kLoadThread),
          SIGSERVE_RPC(SystemSharedMemoryStatus, kControlThread),
          SIGSERVE_RPC(SystemSharedMemoryRegister, kControlThread),
          SIGSERVE_RPC(SystemSharedMemoryUnregister, kControlThread),
          SIGSERVE_RPC(CudaSharedMemoryStatus, kControlThread),
          SIGSERVE_RPC(CudaSharedMemoryRegister, kControlThread),
          SIGSERVE_RPC(CudaSharedMemoryUnregister, kControlThread),
          SIGSERVE_RPC(TraceSetting, kControlThread),
          SIGSERVE_RPC(LogSettings, kControlThread)};
#undef SIGSERVE_RPC
}

#define SIGSERVE_RPC(rpc)                                                    \
  absl::Status InferenceService::rpc(const inference::rpc##Request& request, \
                                     inference::rpc##Response* response)

SIGSERVE_RPC(ServerLive) {
  static_cast<void>(request);
  response->set_live(true);
  return absl::OkStatus();
}

SIGSERVE_RPC(ServerReady) {
  static_cast<void>(request);
  response->set_ready(!info_.ready || info_.ready());
  return absl::OkStatus();
}

SIGSERVE_RPC(ModelReady) {
  const absl::Status status = FindVersion(*registry_, request.name(), request.version()).status();
  response->set_ready(status.ok());
  // Not ready is an answer; a name or version that is malformed is an error.
  return absl::IsInvalidArgument(status) ? status : absl::OkStatus();
}

SIGSERVE_RPC(ServerMetadata) {
  static_cast<void>(request);
  response->set_name(info_.name);
  response->set_version(info_.version);
  for (const char* extension : {"model_repository", "model_configuration", "binary_tensor_data",
                                "parameters", "statistics"}) {
    response->add_extensions(extension);
  }
  return absl::OkStatus();
}

SIGSERVE_RPC(ModelMetadata) {
  const auto servable = FindVersion(*registry_, request.name(), request.version());
  if (!servable.ok()) return servable.status();
  EncodeMetadata(**servable, response);
  for (const VersionStatus& version : registry_->Versions(request.name())) {
    if (version.state == VersionState::kReady)
      response->add_versions(absl::StrCat(version.version));
  }
  return absl::OkStatus();
}

SIGSERVE_RPC(ModelConfig) {
  const auto servable = FindVersion(*registry_, request.name(), request.version());
  if (!servable.ok()) return servable.status();
  EncodeConfig(**servable, response->mutable_config());
  return absl::OkStatus();
}

SIGSERVE_RPC(ModelStatistics) {
  int64_t version = 0;
  if (!request.name().empty()) {
    const auto servable = FindVersion(*registry_, request.name(), request.version());
    if (!servable.ok()) return servable.status();
    if (!request.version().empty()) version = (*servable)->version();
  }
  const std::vector<VersionStatistics> all = statistics_->Get(request.name());
  const auto wanted = [&](const std::string& model, int64_t number) {
    return number != 0 && (version == 0 || number == version) &&
           (request.name().empty() || model == request.name());
  };
  for (const VersionStatistics& statistics : all) {
    if (!wanted(statistics.model, statistics.version)) continue;
    EncodeStatistics(statistics, response->add_model_stats());
  }
  // A version without calls has zeros.
  for (const VersionStatus& known : registry_->List()) {
    const bool called = std::any_of(all.begin(), all.end(), [&](const VersionStatistics& one) {
      return one.model == known.model && one.version == known.version;
    });
    if (called || known.state != VersionState::kReady || !wanted(known.model, known.version)) {
      continue;
    }
    response->add_model_stats()->set_name(known.model);
    response->mutable_model_stats()->rbegin()->set_version(absl::StrCat(known.version));
  }
  return absl::OkStatus();
}

SIGSERVE_RPC(RepositoryIndex) {
  for (const VersionStatus& version : registry_->List()) {
    if (request.ready() && version.state != VersionState::kReady) continue;
    EncodeIndex(version, response->add_models());
  }
  return absl::OkStatus();
}

SIGSERVE_RPC(RepositoryModelLoad) {
  if (!request.parameters().empty()) {
    return absl::UnimplementedError(
        absl::StrCat("load parameter ", Quote(request.parameters().begin()->first),
                     " is not served: models and their configs come from the repository"));
  }
  const CallsInProgress::Scope load(loads_);
  const std::string& model = ModelOf(request);
  response->set_model_name(model);
  const absl::Status status = registry_->Load(model);
  response->set_is_loaded(status.ok());
  return Annotate(status, absl::StrCat("failed to load ", Quote(model)));
}

SIGSERVE_RPC(RepositoryModelUnload) {
  const CallsInProgress::Scope unload(loads_);
  const std::string& model = ModelOf(request);
  response->set_model_name(model);
  absl::Status status = registry_->Unload(model);
  response->set_is_unloaded(status.ok());
  return status;
}

// Clients ask for and drop regions when they start, whether they use them or not.
SIGSERVE_RPC(SystemSharedMemoryStatus) {
  static_cast<void>(request), static_cast<void>(response);
  return absl::OkStatus();
}
SIGSERVE_RPC(SystemSharedMemoryRegister) {
  static_cast<void>(request), static_cast<void>(response);
  return NoSharedMemory();
}
SIGSERVE_RPC(SystemSharedMemoryUnregister) {
  static_cast<void>(request), static_cast<void>(response);
  return absl::OkStatus();
}
SIGSERVE_RPC(CudaSharedMemoryStatus) {
  static_cast<void>(request), static_cast<void>(response);
  return absl::OkStatus();
}
SIGSERVE_RPC(CudaSharedMemoryRegister) {
  static_cast<void>(request), static_cast<void>(response);
  return NoSharedMemory();
}
SIGSERVE_RPC(CudaSharedMemoryUnregister) {
  static_cast<void>(request), static_cast<void>(response);
  return absl::OkStatus();
}

SIGSERVE_RPC(TraceSetting) {
  (*response->mutable_settings())["trace_level"].add_value("OFF");
  return CheckUnchanged(request.settings(), response->settings(), "tracing is not served");
}

SIGSERVE_RPC(LogSettings) {
  auto& settings = *response->mutable_settings();
  for (const char* level : {"log_info", "log_warning", "log_error"}) {
    settings[level].set_bool_param(true);
  }
  settings["log_verbose_level"].set_uint32_param(0);
  settings["log_file"].set_string_param("");
  settings["log_format"].set_string_param("default");
  return CheckUnchanged(request.settings(), response->settings(), "the log's settings are fixed");
}
#undef SIGSERVE_RPC

}  // namespace sigserve
