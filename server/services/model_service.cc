#include "server/services/model_service.h"

#include "server/codec/model_codec.h"
#include "server/codec/prediction_codec.h"
#include "server/codec/status.h"

namespace sigserve {

grpc::Status ModelServiceImpl::ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                                          v1::ListModelsResponse* response) {
  for (const VersionStatus& version : registry_->List()) {
    EncodeVersion(version, response->add_models());
  }
  return grpc::Status::OK;
}

grpc::Status ModelServiceImpl::GetModel(grpc::ServerContext*, const v1::GetModelRequest* request,
                                        v1::GetModelResponse* response) {
  const absl::StatusOr<ModelQuery> query = DecodeModelSpec(request->model());
  if (!query.ok()) return ToGrpc(query.status());
  const absl::StatusOr<ServableHandle> servable = registry_->Find(*query);
  if (!servable.ok()) return ToGrpc(servable.status());
  EncodeModel(**servable, response);
  for (const VersionStatus& version : registry_->Versions(query->model)) {
    EncodeVersion(version, response->add_versions());
  }
  return grpc::Status::OK;
}

grpc::Status ModelServiceImpl::ReloadModels(grpc::ServerContext*,
                                            const v1::ReloadModelsRequest* request,
                                            v1::ReloadModelsResponse* response) {
  const CallsInProgress::Scope load(loads_);
  const std::string& name = request->name();
  const absl::Status status = name.empty() ? registry_->ReloadAll() : registry_->Reload(name);
  if (!status.ok()) return ToGrpc(status);
  for (const VersionStatus& version :
       name.empty() ? registry_->List() : registry_->Versions(name)) {
    EncodeVersion(version, response->add_models());
  }
  return grpc::Status::OK;
}

}  // namespace sigserve
