// sigserve.v1.PredictionService over gRPC's callback API: decode, call, encode. Inference runs on
// gRPC's own threads, or wherever the model's queue runs it.
#pragma once

#include "server/services/prediction_handler.h"
#include "sigserve/v1/prediction.grpc.pb.h"

namespace sigserve {

class PredictionServiceImpl final : public v1::PredictionService::CallbackService {
 public:
  /// `handler` must outlive it.
  explicit PredictionServiceImpl(PredictionHandler* handler) : handler_(handler) {}

  grpc::ServerUnaryReactor* Predict(grpc::CallbackServerContext* context,
                                    const v1::PredictRequest* request,
                                    v1::PredictResponse* response) override;
  grpc::ServerBidiReactor<v1::PredictStreamRequest, v1::PredictStreamResponse>* PredictStream(
      grpc::CallbackServerContext* context) override;

 private:
  PredictionHandler* const handler_;
};

}  // namespace sigserve
