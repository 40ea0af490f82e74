// The one door through which all calls pass, unary ones and streams: a table from method to
// handler. It also turns what handlers throw (std::bad_alloc above all) into statuses, so that no
// call can end the process. One per I/O thread; several share one table.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "server/rpc/control_threads.h"
#include "server/rpc/message.h"
#include "server/rpc/service_method.h"

namespace sigserve {

/// Threads for function handlers; both must outlive the dispatcher and every call.
struct DispatchThreads {
  ControlThreads* control = nullptr;
  ControlThreads* load = nullptr;
};

class Dispatcher final : public MessageHandler {
 public:
  /// The methods of a table, for the transport: an index into them is an index into the table.
  static std::vector<Method> Methods(const std::vector<ServiceMethod>& table);

  /// `table` must outlive the dispatcher and every call. `turn_handler` takes the messages of the
  /// TurnMessages methods; a method that it does not bind is answered with INTERNAL.
  Dispatcher(const std::vector<ServiceMethod>* table, std::unique_ptr<TurnHandler> turn_handler,
             DispatchThreads threads);

  void OnMessage(int method, InboundMessage* message) override;
  std::shared_ptr<StreamReactor> OpenStream(int method) override;
  absl::Status RejectUnknown(absl::string_view path) override;
  void OnDrained() override { turn_handler_->OnDrained(); }

 private:
  const std::vector<ServiceMethod>& table_;
  const std::unique_ptr<TurnHandler> turn_handler_;
  const DispatchThreads threads_;
  std::vector<TurnHandler::OnMessage>
      turn_methods_;  // by method; empty where it has another handler
};

/// UNIMPLEMENTED for a path outside the table: names the service's methods, or else the services.
absl::Status UnknownMethodError(absl::string_view path, const std::vector<ServiceMethod>& table);

/// "package.Service" of a path "/package.Service/Method"; empty if the path has another form.
absl::string_view ServiceOfPath(absl::string_view path);

}  // namespace sigserve
