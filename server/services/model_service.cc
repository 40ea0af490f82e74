#include "server/services/model_service.h"

#include <string>

#include "model/base/status_macros.h"
#include "server/codec/model_codec.h"
#include "server/codec/prediction_codec.h"

namespace sigserve {

std::vector<ServiceMethod> ModelService::Methods() {
  return {FunctionMethod("/sigserve.v1.ModelService/ListModels", this, &ModelService::ListModels),
          FunctionMethod("/sigserve.v1.ModelService/GetModel", this, &ModelService::GetModel),
          FunctionMethod("/sigserve.v1.ModelService/ReloadModels", this,
                         &ModelService::ReloadModels, RunsOn::kLoadThread)};
}

absl::Status ModelService::ListModels(const v1::ListModelsRequest& /*request*/,
                                      v1::ListModelsResponse* response) {
  for (const VersionStatus& version : registry_->List()) {
    EncodeVersion(version, response->add_models());
  }
  for (const IgnoredEntry& entry : registry_->Ignored()) {
    EncodeIgnored(entry, response->add_models());
  }
  return absl::OkStatus();
}

absl::Status ModelService::GetModel(const v1::GetModelRequest& request,
                                    v1::GetModelResponse* response) {
  SIGSERVE_ASSIGN_OR_RETURN(const ModelQuery query, DecodeModelSpec(request.model()));
  SIGSERVE_ASSIGN_OR_RETURN(const ServableHandle servable, registry_->Find(query));
  EncodeModel(*servable, response);
  for (const VersionStatus& version : registry_->Versions(query.model)) {
    EncodeVersion(version, response->add_versions());
  }
  return absl::OkStatus();
}

absl::Status ModelService::ReloadModels(const v1::ReloadModelsRequest& request,
                                        v1::ReloadModelsResponse* response) {
  const CallsInProgress::Scope load(loads_);
  const std::string& name = request.name();
  SIGSERVE_RETURN_IF_ERROR(name.empty() ? registry_->ReloadAll() : registry_->Load(name));
  for (const VersionStatus& version :
       name.empty() ? registry_->List() : registry_->Versions(name)) {
    EncodeVersion(version, response->add_models());
  }
  return absl::OkStatus();
}

}  // namespace sigserve
