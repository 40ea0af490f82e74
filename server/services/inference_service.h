// The Open Inference Protocol v2 and Triton's extensions of it, but for inference itself
// (prediction_frontend.h). Thread-safe. Shared-memory regions, model upload (RepositoryModelLoad's
// "config" and "file:" parameters), classification and changes of the trace and log settings (to
// other values than they have) are UNIMPLEMENTED and say so.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "inference/grpc_service.pb.h"
#include "server/metrics/statistics.h"
#include "server/registry/model_registry.h"
#include "server/rpc/calls_in_progress.h"
#include "server/rpc/service_method.h"

namespace sigserve {

/// What ServerMetadata and ServerReady answer.
struct ServerInfo {
  std::string name = "sigserve";
  std::string version;
  /// May be empty: always ready. Thread-safe.
  std::function<bool()> ready;
};

class InferenceService {
 public:
  /// All pointers must outlive it.
  InferenceService(ModelRegistry* registry, const StatisticsRecorder* statistics,
                   CallsInProgress* loads, ServerInfo info);

  /// It must outlive their calls.
  std::vector<ServiceMethod> Methods();

// absl::Status Rpc(request, response).
#define SIGSERVE_RPC(rpc) \
  absl::Status rpc(const inference::rpc##Request& request, inference::rpc##Response* response)
  SIGSERVE_RPC(ServerLive);
  SIGSERVE_RPC(ServerReady);
  SIGSERVE_RPC(ModelReady);
  SIGSERVE_RPC(ServerMetadata);
  SIGSERVE_RPC(ModelMetadata);
  SIGSERVE_RPC(ModelConfig);
  SIGSERVE_RPC(ModelStatistics);
  SIGSERVE_RPC(RepositoryIndex);
  SIGSERVE_RPC(RepositoryModelLoad);
  SIGSERVE_RPC(RepositoryModelUnload);
  SIGSERVE_RPC(SystemSharedMemoryStatus);
  SIGSERVE_RPC(SystemSharedMemoryRegister);
  SIGSERVE_RPC(SystemSharedMemoryUnregister);
  SIGSERVE_RPC(CudaSharedMemoryStatus);
  SIGSERVE_RPC(CudaSharedMemoryRegister);
  SIGSERVE_RPC(CudaSharedMemoryUnregister);
  SIGSERVE_RPC(TraceSetting);
  SIGSERVE_RPC(LogSettings);
#undef SIGSERVE_RPC

 private:
  ModelRegistry* const registry_;
  const StatisticsRecorder* const statistics_;
  CallsInProgress* const loads_;
  const ServerInfo info_;
};

}  // namespace sigserve
