// sigserve.v1.ModelService: what is served, and reading the repository again. Thread-safe.
#pragma once

#include <vector>

#include "server/registry/model_registry.h"
#include "server/rpc/calls_in_progress.h"
#include "server/rpc/service_method.h"
#include "sigserve/v1/model.pb.h"

namespace sigserve {

class ModelService {
 public:
  /// Both must outlive it.
  ModelService(ModelRegistry* registry, CallsInProgress* loads)
      : registry_(registry), loads_(loads) {}

  /// It must outlive their calls.
  std::vector<ServiceMethod> Methods();

  absl::Status ListModels(const v1::ListModelsRequest& request, v1::ListModelsResponse* response);
  absl::Status GetModel(const v1::GetModelRequest& request, v1::GetModelResponse* response);
  /// Reads the disk and loads models.
  absl::Status ReloadModels(const v1::ReloadModelsRequest& request,
                            v1::ReloadModelsResponse* response);

 private:
  ModelRegistry* const registry_;
  CallsInProgress* const loads_;
};

}  // namespace sigserve
