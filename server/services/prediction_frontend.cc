#include "server/services/prediction_frontend.h"

#include <google/protobuf/arena.h>

#include <utility>

#include "server/batching/refusal.h"
#include "server/codec/status.h"
#include "server/services/wire_message.h"

namespace sigserve {
namespace {

// In the order of Methods().
enum Method { kModelInfer, kModelStreamInfer, kPredict, kPredictStream };

// What a one-row call's messages need of an arena; larger calls take more while they last.
constexpr size_t kArenaBytes = 4096;
constexpr size_t kMaxSpareCalls = 1024;

}  // namespace

/// A message on its way: its request and response live in the arena.
class PredictionFrontend::Call {
 public:
  Call() : arena_(Options(block_)) {}

  void Start(InboundMessage* message) { message_ = message; }
  void Clear() { arena_.Reset(); }

  template <typename M>
  M* New() {
    return google::protobuf::Arena::CreateMessage<M>(&arena_);
  }
  InboundMessage* message() const { return message_; }

  CallContext Context(absl::string_view method, const Clock& clock) const {
    CallContext context;
    context.method = method;
    context.time_left = message_->deadline() - clock.Monotonic();
    context.cancelled = [message = message_] { return message->cancelled(); };
    return context;
  }

 private:
  static google::protobuf::ArenaOptions Options(char* block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = kArenaBytes;
    return options;
  }

  alignas(16) char block_[kArenaBytes];
  google::protobuf::Arena arena_;
  InboundMessage* message_ = nullptr;
};

std::vector<TransportMethod> PredictionFrontend::Methods() {
  return {{.path = "/inference.GRPCInferenceService/ModelInfer", .frequent = true},
          {.path = "/inference.GRPCInferenceService/ModelStreamInfer",
           .streaming = true,
           .ordered = true,
           .frequent = true},
          {.path = "/sigserve.v1.PredictionService/Predict", .frequent = true},
          {.path = "/sigserve.v1.PredictionService/PredictStream",
           .streaming = true,
           .frequent = true}};
}

PredictionFrontend::PredictionFrontend(ModelRegistry* registry, RequestRecorder* recorder,
                                       const Clock* clock, int64_t max_answer_bytes,
                                       TaskSink* heavy)
    : clock_(clock),
      batcher_(
          {}, clock,
          [recorder](const BatchTarget& target, DispatchReason reason) {
            recorder->RecordBatch(target.model, Name(reason));
          },
          heavy),
      handler_(registry, recorder, clock, &batcher_, max_answer_bytes) {}

PredictionFrontend::~PredictionFrontend() = default;

std::unique_ptr<PredictionFrontend::Call> PredictionFrontend::TakeCall() {
  {
    absl::MutexLock lock(&mutex_);
    ++in_flight_;
    if (!spare_.empty()) {
      std::unique_ptr<Call> call = std::move(spare_.back());
      spare_.pop_back();
      return call;
    }
  }
  return std::make_unique<Call>();
}

void PredictionFrontend::GiveBack(std::unique_ptr<Call> call) {
  call->Clear();
  absl::MutexLock lock(&mutex_);
  --in_flight_;
  if (spare_.size() < kMaxSpareCalls) spare_.push_back(std::move(call));
}

void PredictionFrontend::OnMessage(InboundMessage* message) {
  Call* const call = TakeCall().release();  // Finish() has it back
  call->Start(message);
  switch (static_cast<Method>(message->method())) {
    case kPredict:
      return Predict(call);
    case kPredictStream:
      return PredictStream(call);
    case kModelInfer:
      return ModelInfer(call);
    case kModelStreamInfer:
      return ModelStreamInfer(call);
  }
}

void PredictionFrontend::Predict(Call* call) {
  auto* request = call->New<v1::PredictRequest>();
  const absl::Status parsed = ParseMessage(call->message()->request(), request);
  if (!parsed.ok()) return Finish(call, parsed, nullptr);
  auto* response = call->New<v1::PredictResponse>();
  handler_.Predict(
      *request, call->Context("Predict", *clock_), response,
      [this, call, response](const absl::Status& status) { Finish(call, status, response); });
}

void PredictionFrontend::PredictStream(Call* call) {
  auto* request = call->New<v1::PredictStreamRequest>();
  const absl::Status parsed = ParseMessage(call->message()->request(), request);
  auto* response = call->New<v1::PredictStreamResponse>();
  response->set_id(request->id());
  const auto done = [this, call, response](const absl::Status& status) {
    if (!status.ok()) {
      response->mutable_error()->set_code(static_cast<int>(status.code()));
      response->mutable_error()->set_message(WireMessage(status));
    }
    Finish(call, absl::OkStatus(), response);
  };
  if (!parsed.ok()) return done(parsed);
  handler_.Predict(request->request(), call->Context("PredictStream", *clock_),
                   response->mutable_response(), done);
}

void PredictionFrontend::ModelInfer(Call* call) {
  auto* request = call->New<inference::ModelInferRequest>();
  const absl::Status parsed = ParseMessage(call->message()->request(), request);
  if (!parsed.ok()) return Finish(call, parsed, nullptr);
  auto* response = call->New<inference::ModelInferResponse>();
  handler_.Infer(
      *request, call->Context("ModelInfer", *clock_), response,
      [this, call, response](const absl::Status& status) { Finish(call, status, response); });
}

void PredictionFrontend::ModelStreamInfer(Call* call) {
  auto* request = call->New<inference::ModelInferRequest>();
  const absl::Status parsed = ParseMessage(call->message()->request(), request);
  auto* response = call->New<inference::ModelStreamInferResponse>();
  const auto done = [this, call, request, response](const absl::Status& status) {
    if (!status.ok()) {
      response->set_error_message(WireMessage(status));
      response->mutable_infer_response()->set_id(request->id());
    }
    Finish(call, absl::OkStatus(), response);
  };
  if (!parsed.ok()) return done(parsed);
  handler_.Infer(*request, call->Context("ModelStreamInfer", *clock_),
                 response->mutable_infer_response(), done);
}

void PredictionFrontend::Finish(Call* call, const absl::Status& status,
                                const google::protobuf::Message* response) {
  std::unique_ptr<Call> owned(call);
  InboundMessage* const message = call->message();
  if (status.ok()) {
    const size_t bytes = response->ByteSizeLong();
    response->SerializeWithCachedSizesToArray(message->AllocateReply(bytes));
  }
  GiveBack(std::move(owned));
  if (status.ok()) return message->Reply(status);
  const absl::Status error = WireStatus(status);
  const std::optional<absl::Duration> retry_after = RetryAfter(status);
  if (retry_after.has_value()) {
    message->Refuse(error, *retry_after);
  } else {
    message->Reply(error);
  }
}

}  // namespace sigserve
