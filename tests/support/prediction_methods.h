// Sends messages to a prediction frontend by method, as a Dispatcher would.
#pragma once

#include <array>

#include "server/rpc/service_method.h"

namespace sigserve::testing_support {

enum PredictionMethod { kModelInfer, kModelStreamInfer, kPredict, kPredictStream };

class PredictionMethods {
 public:
  /// `handler` must outlive it.
  explicit PredictionMethods(TurnHandler* handler) {
    constexpr const char* kPaths[] = {"/inference.GRPCInferenceService/ModelInfer",
                                      "/inference.GRPCInferenceService/ModelStreamInfer",
                                      "/sigserve.v1.PredictionService/Predict",
                                      "/sigserve.v1.PredictionService/PredictStream"};
    for (size_t i = 0; i < bound_.size(); ++i) bound_[i] = handler->Bind(kPaths[i]);
  }
  void Send(PredictionMethod method, InboundMessage* message) const { bound_[method](message); }

 private:
  std::array<TurnHandler::OnMessage, 4> bound_;
};

}  // namespace sigserve::testing_support
