// A gRPC call as the handler knows it.
#pragma once

#include <chrono>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/server_context.h"
#include "server/services/prediction_handler.h"

namespace sigserve {

/// `context` must stay until the call is answered. `method`: a literal.
inline CallContext CallContextOf(const grpc::CallbackServerContext* context,
                                 absl::string_view method) {
  CallContext call;
  call.method = method;
  const auto deadline = context->deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) {
    call.time_left =
        absl::FromChrono(deadline) - absl::FromChrono(std::chrono::system_clock::now());
  }
  call.cancelled = [context] { return context->IsCancelled(); };
  return call;
}

}  // namespace sigserve
