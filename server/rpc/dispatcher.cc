#include "server/rpc/dispatcher.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/rpc/exceptions.h"
#include "server/rpc/guarded_stream.h"
#include "server/rpc/status.h"

namespace sigserve {
namespace {

// Parsed and answered within microseconds.
constexpr size_t kSmallRequest = 4096;

bool IsSmall(const InboundMessage& message) {
  size_t bytes = 0;
  for (const absl::string_view piece : message.request()) bytes += piece.size();
  return bytes <= kSmallRequest;
}

void Answer(const ServiceMethod& method, const FunctionHandler& handler, InboundMessage* message) {
  if (message->cancelled()) return message->Reply(absl::CancelledError("the client disconnected"));
  std::string reply;
  const absl::Status status = CatchExceptions(
      method.method.path, [&] { return handler.answer(message->request(), &reply); });
  if (!status.ok()) return message->Reply(WireStatus(status));
  std::memcpy(message->AllocateReply(reply.size()), reply.data(), reply.size());
  message->Reply(status);
}

/// A name out of a path, which may hold any bytes: what is not printable ASCII becomes '?'.
std::string QuotePathPart(absl::string_view name) {
  std::string printable(name);
  std::replace_if(
      printable.begin(), printable.end(),
      [](char c) { return !absl::ascii_isprint(static_cast<unsigned char>(c)); }, '?');
  return Quote(printable);
}

/// Ends its stream at once.
class FailedStream final : public StreamReactor {
 public:
  explicit FailedStream(absl::Status status) : status_(std::move(status)) {}
  void OnStart(ServerStream* stream) override { stream->Finish(status_); }

 private:
  const absl::Status status_;
};

}  // namespace

std::vector<Method> Dispatcher::Methods(const std::vector<ServiceMethod>& table) {
  std::vector<Method> methods;
  methods.reserve(table.size());
  for (const ServiceMethod& entry : table) methods.push_back(entry.method);
  return methods;
}

Dispatcher::Dispatcher(const std::vector<ServiceMethod>* table,
                       std::unique_ptr<TurnHandler> turn_handler, DispatchThreads threads)
    : table_(*table), turn_handler_(std::move(turn_handler)), threads_(threads) {
  turn_methods_.reserve(table_.size());
  for (const ServiceMethod& entry : table_) {
    const bool turn = std::holds_alternative<TurnMessages>(entry.handler);
    turn_methods_.push_back(turn ? turn_handler_->Bind(entry.method.path) : nullptr);
  }
}

void Dispatcher::OnMessage(int method, InboundMessage* message) {
  const auto index = static_cast<size_t>(method);
  const ServiceMethod& entry = table_[index];
  if (const TurnHandler::OnMessage& on_message = turn_methods_[index]) {
    const absl::Status status = CatchExceptions(entry.method.path, [&] {
      on_message(message);
      return absl::OkStatus();
    });
    if (!status.ok()) message->Reply(WireStatus(status));
    return;
  }
  const auto* handler = std::get_if<FunctionHandler>(&entry.handler);
  if (handler == nullptr) {
    return message->Reply(absl::InternalError(absl::StrCat(entry.method.path, " has no handler")));
  }
  if (handler->runs_on == RunsOn::kIoThread && IsSmall(*message)) {
    return Answer(entry, *handler, message);
  }
  ControlThreads* const threads =
      handler->runs_on == RunsOn::kLoadThread ? threads_.load : threads_.control;
  threads->Run([&entry, handler, message] { Answer(entry, *handler, message); });
}

std::shared_ptr<StreamReactor> Dispatcher::OpenStream(int method) {
  const ServiceMethod& entry = table_[static_cast<size_t>(method)];
  const auto* make_reactor = std::get_if<StreamReactorFactory>(&entry.handler);
  std::shared_ptr<StreamReactor> reactor;
  absl::Status status = CatchExceptions(entry.method.path, [&] {
    if (make_reactor == nullptr) {
      return absl::InternalError(absl::StrCat(entry.method.path, " is not served as a stream"));
    }
    reactor = std::make_shared<GuardedStream>(entry.method.path, (*make_reactor)());
    return absl::OkStatus();
  });
  if (status.ok()) return reactor;
  return std::make_shared<FailedStream>(WireStatus(status));
}

absl::Status Dispatcher::RejectUnknown(absl::string_view path) {
  return UnknownMethodError(path, table_);
}

absl::string_view ServiceOfPath(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos || slash == 0 || path[0] != '/') return "";
  return path.substr(1, slash - 1);
}

absl::Status UnknownMethodError(absl::string_view path, const std::vector<ServiceMethod>& table) {
  const absl::string_view service = ServiceOfPath(path);
  std::set<absl::string_view> services;
  std::set<absl::string_view> methods;
  for (const ServiceMethod& entry : table) {
    const absl::string_view known = ServiceOfPath(entry.method.path);
    services.insert(known);
    if (known == service)
      methods.insert(absl::string_view(entry.method.path).substr(known.size() + 2));
  }
  const std::string text =
      methods.empty() ? absl::StrCat("no service ", QuotePathPart(service.empty() ? path : service),
                                     "; this server has ", absl::StrJoin(services, ", "))
                      : absl::StrCat("service ", service, " has no method ",
                                     QuotePathPart(path.substr(service.size() + 2)), "; it has ",
                                     absl::StrJoin(methods, ", "));
  return WireStatus(absl::UnimplementedError(text));
}

}  // namespace sigserve
