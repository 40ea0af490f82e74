// What a model is, as each API tells it. Stateless.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "inference/grpc_service.pb.h"
#include "server/registry/model_registry.h"
#include "server/registry/servable.h"
#include "sigserve/v1/model.pb.h"

namespace sigserve {

void EncodeIgnored(const IgnoredEntry& entry, v1::ModelVersion* version);
void EncodeVersion(const VersionStatus& status, v1::ModelVersion* version);
/// The signature, labels and thresholds; the caller adds the versions.
void EncodeModel(const Servable& servable, v1::GetModelResponse* response);

/// Empty = the server chooses; else a version number, or one of the model's labels.
/// INVALID_ARGUMENT for numbers below 1 and an empty model name.
absl::StatusOr<ModelQuery> DecodeQuery(absl::string_view model, absl::string_view version);

/// Everything but `versions`.
void EncodeMetadata(const Servable& servable, inference::ModelMetadataResponse* metadata);
/// As Triton would: dims without the batch when the model is batchable.
void EncodeConfig(const Servable& servable, inference::ModelConfig* config);
/// READY, LOADING or UNAVAILABLE with its reason; version "" for a model without versions.
void EncodeIndex(const VersionStatus& status,
                 inference::RepositoryIndexResponse::ModelIndex* index);

/// "FP32", "FP64", "INT32", "INT64", "BOOL".
absl::string_view OipDatatype(DType dtype);

}  // namespace sigserve
