// A method of the services beside the predictions: its path, and what answers it. Their messages
// come by the transport, too, and are answered on the I/O thread if that takes microseconds, else
// on the control threads.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/rpc/method.h"
#include "server/rpc/wire_message.h"

namespace sigserve {

/// Loads have threads of their own: they wait for each other, and nobody else is to wait for them.
enum class RunsOn { kIoThread, kControlThread, kLoadThread };

struct ServiceMethod {
  TransportMethod transport;
  /// The request's bytes -> the response's bytes. Thread-safe. Empty if a reactor deals with the
  /// stream.
  std::function<absl::Status(absl::Span<const absl::string_view>, std::string*)> answer = nullptr;
  RunsOn runs_on = RunsOn::kControlThread;
};

/// A method that answers each request: `absl::Status method(const Request&, Response*)`.
template <typename Service, typename Request, typename Response>
ServiceMethod Answering(absl::string_view path, Service* service,
                        absl::Status (Service::*method)(const Request&, Response*),
                        RunsOn runs_on = RunsOn::kControlThread) {
  const auto answer = [service, method](absl::Span<const absl::string_view> bytes,
                                        std::string* reply) {
    Request request;
    absl::Status status = ParseMessage(bytes, &request);
    if (!status.ok()) return status;
    Response response;
    status = (service->*method)(request, &response);
    if (status.ok()) response.SerializeToString(reply);
    return status;
  };
  return {.transport = {.path = std::string(path)}, .answer = answer, .runs_on = runs_on};
}

}  // namespace sigserve
