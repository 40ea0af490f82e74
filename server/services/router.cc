#include "server/services/router.h"

#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/rpc/status.h"

namespace sigserve {
namespace {

/// Nothing that a call comes upon may end the process.
absl::Status Run(const ServiceMethod& method, InboundMessage* message, std::string* reply) {
  try {
    return method.answer(message->request(), reply);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory left for the call");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(method.transport.path, ": ", error.what()));
  }
}

/// Read within microseconds.
bool IsSmall(const InboundMessage& message) {
  constexpr size_t kSmall = 4096;
  size_t bytes = 0;
  for (const absl::string_view piece : message.request()) bytes += piece.size();
  return bytes <= kSmall;
}

void Answer(const ServiceMethod& method, InboundMessage* message) {
  if (message->cancelled()) return message->Reply(absl::CancelledError("the caller went away"));
  std::string reply;
  const absl::Status status = Run(method, message, &reply);
  if (!status.ok()) {
    message->Reply(WireStatus(status));
    return;
  }
  std::memcpy(message->AllocateReply(reply.size()), reply.data(), reply.size());
  message->Reply(status);
}

}  // namespace

std::vector<TransportMethod> Router::Methods(const std::vector<ServiceMethod>& others) {
  std::vector<TransportMethod> methods = PredictionFrontend::Methods();
  for (const ServiceMethod& method : others) methods.push_back(method.transport);
  return methods;
}

Router::Router(std::unique_ptr<PredictionFrontend> predictions,
               const std::vector<ServiceMethod>* others, ControlThreads* threads,
               ControlThreads* load_threads)
    : prediction_methods_(static_cast<int>(PredictionFrontend::Methods().size())),
      predictions_(std::move(predictions)),
      others_(others),
      threads_(threads),
      load_threads_(load_threads) {}

void Router::OnMessage(InboundMessage* message) {
  const int other = message->method() - prediction_methods_;
  if (other < 0) return predictions_->OnMessage(message);
  const ServiceMethod& method = (*others_)[static_cast<size_t>(other)];
  if (method.runs_on == RunsOn::kIoThread && IsSmall(*message)) return Answer(method, message);
  ControlThreads* const threads = method.runs_on == RunsOn::kLoadThread ? load_threads_ : threads_;
  threads->Run([&method, message] { Answer(method, message); });
}

}  // namespace sigserve
