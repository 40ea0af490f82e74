// sigserve.v1.ModelService. A synchronous service: its calls may read the disk and load models, and
// do so on gRPC's own pool of threads for such services, beside the threads that predictions use.
#pragma once

#include "server/registry/model_registry.h"
#include "server/services/calls_in_progress.h"
#include "sigserve/v1/model.grpc.pb.h"

namespace sigserve {

class ModelServiceImpl final : public v1::ModelService::Service {
 public:
  /// Both must outlive it.
  ModelServiceImpl(ModelRegistry* registry, CallsInProgress* loads)
      : registry_(registry), loads_(loads) {}

  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override;
  grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override;
  grpc::Status ReloadModels(grpc::ServerContext* context, const v1::ReloadModelsRequest* request,
                            v1::ReloadModelsResponse* response) override;

 private:
  ModelRegistry* const registry_;
  CallsInProgress* const loads_;
};

}  // namespace sigserve
