// Plain values <-> messages of proto/sigserve/v1. Internal to client/. Unknown enum values become
// kUnspecified, so that an older client reads a newer server.
#pragma once

#include "client/types.h"
#include "sigserve/v1/model.pb.h"
#include "sigserve/v1/prediction.pb.h"
#include "sigserve/v1/training.pb.h"

namespace sigserve::client {

v1::ModelSpec ToProto(const ModelRef& model);
v1::Tensor ToProto(const Tensor& tensor);
v1::TrainSpec ToProto(const TrainSpec& spec, int64_t feature_count, int64_t label_count);
void SetOptions(const PredictOptions& options, v1::PredictRequest* request);

Prediction FromProto(v1::PredictResponse response);
ModelVersion FromProto(const v1::ModelVersion& version);
ModelInfo FromProto(const v1::GetModelResponse& response);
Job FromProto(const v1::Job& job);
EpochMetrics FromProto(const v1::EpochMetrics& metrics);
JobEvent FromProto(const v1::JobEvent& event);

}  // namespace sigserve::client
