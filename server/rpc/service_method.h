// The entries of the dispatch table: a method and what handles it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/rpc/message.h"
#include "server/rpc/method.h"
#include "server/rpc/stream.h"
#include "server/rpc/wire_message.h"

namespace sigserve {

/// Where a function handler runs. Model loads have threads of their own: they wait for each other
/// and must not hold up other calls.
enum class RunsOn { kIoThread, kControlThread, kLoadThread };

/// Computes the response's bytes from the request's bytes. Thread-safe; may throw.
struct FunctionHandler {
  std::function<absl::Status(absl::Span<const absl::string_view>, std::string*)> answer;
  /// Requests over 4 KiB go to the control threads even with kIoThread.
  RunsOn runs_on = RunsOn::kControlThread;
};

/// The I/O thread's own TurnHandler takes the messages.
struct TurnMessages {};

/// Makes the reactor of each stream. Called on I/O threads; may throw.
using StreamReactorFactory = std::function<std::shared_ptr<StreamReactor>()>;

struct ServiceMethod {
  Method method;
  std::variant<TurnMessages, FunctionHandler, StreamReactorFactory> handler = TurnMessages();
};

/// Takes messages on one I/O thread and answers them by the end of the turn, or later from another
/// thread. One per I/O thread: its state needs no lock.
class TurnHandler {
 public:
  /// Called with each message of one method. If it throws, it has neither kept nor answered the
  /// message.
  using OnMessage = std::function<void(InboundMessage*)>;

  virtual ~TurnHandler() = default;
  /// What takes the messages of the method at `path`; empty if this handler does not serve it.
  virtual OnMessage Bind(absl::string_view path) = 0;
  virtual void OnDrained() = 0;
};

/// A unary method that calls a member function `absl::Status method(const Request&, Response*)`.
/// `service` must outlive its calls.
template <typename Service, typename Request, typename Response>
ServiceMethod FunctionMethod(absl::string_view path, Service* service,
                             absl::Status (Service::*method)(const Request&, Response*),
                             RunsOn runs_on = RunsOn::kControlThread) {
  auto answer = [service, method](absl::Span<const absl::string_view> bytes, std::string* reply) {
    Request request;
    absl::Status status = ParseMessage(bytes, &request);
    if (!status.ok()) return status;
    Response response;
    status = (service->*method)(request, &response);
    if (status.ok()) response.SerializeToString(reply);
    return status;
  };
  return {.method = {.path = std::string(path)},
          .handler = FunctionHandler{.answer = std::move(answer), .runs_on = runs_on}};
}

}  // namespace sigserve
