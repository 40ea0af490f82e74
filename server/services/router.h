// Where a server's messages part: predictions go to the frontend, those of the other services are
// answered here, on the I/O thread or on the control threads. One per I/O thread.
#pragma once

#include <memory>
#include <vector>

#include "server/rpc/control_threads.h"
#include "server/rpc/service_method.h"
#include "server/services/prediction_frontend.h"

namespace sigserve {

class Router final : public MessageHandler {
 public:
  /// All methods, as the transport is to number them: the frontend's, then these.
  static std::vector<TransportMethod> Methods(const std::vector<ServiceMethod>& others);

  /// The pointers must outlive it and every message.
  Router(std::unique_ptr<PredictionFrontend> predictions, const std::vector<ServiceMethod>* others,
         ControlThreads* threads, ControlThreads* load_threads);

  void OnMessage(InboundMessage* message) override;
  void OnDrained() override { predictions_->OnDrained(); }

 private:
  const int prediction_methods_;
  const std::unique_ptr<PredictionFrontend> predictions_;
  const std::vector<ServiceMethod>* const others_;
  ControlThreads* const threads_;
  ControlThreads* const load_threads_;
};

}  // namespace sigserve
