#include "server/predict/prediction_frontend.h"

#include <google/protobuf/arena.h>

#include <utility>

#include "model/base/utf8.h"
#include "server/batching/refusal.h"
#include "server/rpc/status.h"
#include "server/rpc/wire_message.h"

namespace sigserve {
namespace {

constexpr char kModelInfer[] = "/inference.GRPCInferenceService/ModelInfer";
constexpr char kModelStreamInfer[] = "/inference.GRPCInferenceService/ModelStreamInfer";
constexpr char kPredict[] = "/sigserve.v1.PredictionService/Predict";
constexpr char kPredictStream[] = "/sigserve.v1.PredictionService/PredictStream";

// What a one-row call needs of an arena; larger calls take more while they last.
constexpr size_t kArenaBytes = 4096;
constexpr size_t kMaxSpareCalls = 1024;
constexpr size_t kLargeCall = size_t{64} << 10;

}  // namespace

/// A message on its way: its request, its response and what the handler keeps live in the arena.
class PredictionFrontend::Call {
 public:
  Call() : arena_(Options(block_)) {}

  void Start(InboundMessage* message) { message_ = message; }
  size_t memory() const { return arena_.SpaceAllocated(); }
  void Clear() {
    arena_.Reset();
    payloads_.Clear();
    known_.reset();
  }

  /// Parses the pieces of an M, but for its payloads, unless the cache knows it.
  template <typename M>
  absl::Status Parse(absl::Span<const absl::string_view> pieces, ParseCache<M>* cache,
                     const M** request) {
    // A payload in pieces is to be copied anyway.
    if (pieces.size() != 1) return Parse(pieces, request);
    std::shared_ptr<const M> known = cache->Cut(pieces[0], &payloads_);
    if (known != nullptr) {
      *request = known.get();
      known_ = std::move(known);
      return absl::OkStatus();
    }
    const absl::string_view rest = payloads_.payloads().empty() ? pieces[0] : payloads_.rest();
    return Parse({&rest, 1}, request);
  }
  template <typename M>
  absl::Status Parse(absl::Span<const absl::string_view> pieces, const M** request) {
    M* const parsed = New<M>();
    *request = parsed;
    return ParseMessage(pieces, parsed);
  }
  /// The answer to be: a new M.
  template <typename M>
  M* MakeResponse() {
    M* const response = New<M>();
    response_ = response;
    return response;
  }
  InboundMessage* message() const { return message_; }
  google::protobuf::Message* response() const { return response_; }

  CallContext Context(PredictMethod method) const {
    CallContext context;
    context.method = method;
    context.deadline = message_->deadline();
    context.cancelled = [message = message_] { return message->cancelled(); };
    context.payloads = &payloads_;
    return context;
  }

 private:
  static google::protobuf::ArenaOptions Options(char* block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = kArenaBytes;
    return options;
  }
  template <typename M>
  M* New() {
    return google::protobuf::Arena::CreateMessage<M>(&arena_);
  }

  alignas(16) char block_[kArenaBytes];
  std::shared_ptr<const void> known_;  // the request, where it was parsed before
  google::protobuf::Arena arena_;
  Payloads payloads_;
  InboundMessage* message_ = nullptr;
  google::protobuf::Message* response_ = nullptr;
};

std::vector<ServiceMethod> PredictionFrontend::Methods() {
  constexpr auto kStream = MethodKind::kMessageStream;
  return {
      {.method = {.path = kModelInfer, .frequent = true}},
      {.method = {.path = kModelStreamInfer, .kind = kStream, .ordered = true, .frequent = true}},
      {.method = {.path = kPredict, .frequent = true}},
      {.method = {.path = kPredictStream, .kind = kStream, .frequent = true}}};
}

PredictionFrontend::PredictionFrontend(ModelRegistry* registry, RequestRecorder* recorder,
                                       const Clock* clock, int64_t max_answer_bytes,
                                       TaskSink* heavy)
    : recorder_(recorder),
      batcher_(
          {}, clock,
          [recorder](const BatchTarget& target, DispatchReason reason) {
            recorder->RecordBatch(target.model, Name(reason));
          },
          heavy),
      handler_(registry, &recorder_, clock, &batcher_, max_answer_bytes) {}

PredictionFrontend::~PredictionFrontend() { EndTurn(); }

std::unique_ptr<PredictionFrontend::Call> PredictionFrontend::TakeCall() {
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  if (spare_.empty()) {
    absl::MutexLock lock(&mutex_);
    spare_.swap(returned_);
    // An arena's first block belongs to the thread that has cleared it.
    for (const std::unique_ptr<Call>& call : spare_) call->Clear();
  }
  if (spare_.empty()) return std::make_unique<Call>();
  std::unique_ptr<Call> call = std::move(spare_.back());
  spare_.pop_back();
  return call;
}

void PredictionFrontend::GiveBack(std::unique_ptr<Call> call) {
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  if (recorder_.on_own_thread()) {
    const bool large = call->memory() > kLargeCall;
    ended_.push_back(std::move(call));
    if (large) EndTurn();  // it need not wait for the others
    return;
  }
  call->Clear();
  absl::MutexLock lock(&mutex_);
  if (returned_.size() < kMaxSpareCalls) returned_.push_back(std::move(call));
}

void PredictionFrontend::OnDrained() {
  batcher_.Drain();
  EndTurn();
}

void PredictionFrontend::EndTurn() {
  recorder_.EndTurn();
  for (std::unique_ptr<Call>& call : ended_) {
    call->Clear();
    if (spare_.size() < kMaxSpareCalls) spare_.push_back(std::move(call));
  }
  ended_.clear();
}

template <void (PredictionFrontend::*serve)(PredictionFrontend::Call*)>
TurnHandler::OnMessage PredictionFrontend::Binding() {
  return [this](InboundMessage* message) {
    recorder_.SetOwnThread();
    Call* const call = TakeCall().release();  // Finish() takes it back
    call->Start(message);
    (this->*serve)(call);
  };
}

TurnHandler::OnMessage PredictionFrontend::Bind(absl::string_view path) {
  if (path == kPredict) return Binding<&PredictionFrontend::Predict>();
  if (path == kPredictStream) return Binding<&PredictionFrontend::PredictStream>();
  if (path == kModelInfer) return Binding<&PredictionFrontend::ModelInfer>();
  if (path == kModelStreamInfer) return Binding<&PredictionFrontend::ModelStreamInfer>();
  return nullptr;
}

// The completion lambdas below capture two pointers, which fit std::function's inline buffer.

void PredictionFrontend::Predict(Call* call) {
  const v1::PredictRequest* request;
  const absl::Status parsed = call->Parse(call->message()->request(), &predict_cache_, &request);
  if (!parsed.ok()) return Finish(call, parsed);
  handler_.Predict(*request, call->Context(PredictMethod::kPredict),
                   call->MakeResponse<v1::PredictResponse>(),
                   [this, call](const absl::Status& status) { Finish(call, status); });
}

void PredictionFrontend::PredictStream(Call* call) {
  const absl::Span<const absl::string_view> pieces = call->message()->request();
  const v1::PredictRequest* request;
  uint64_t id = 0;  // every message has its own
  absl::string_view inside;
  absl::Status parsed;
  if (pieces.size() == 1 && kPredictStreamEnvelope.Open(pieces[0], &id, &inside)) {
    parsed = call->Parse({&inside, 1}, &predict_cache_, &request);
  } else {
    const v1::PredictStreamRequest* message;
    parsed = call->Parse(pieces, &message);
    id = message->id();
    request = &message->request();
  }
  auto* response = call->MakeResponse<v1::PredictStreamResponse>();
  response->set_id(id);
  const auto done = [this, call](const absl::Status& status) {
    if (!status.ok()) {
      auto* answer = static_cast<v1::PredictStreamResponse*>(call->response());
      answer->mutable_error()->set_code(static_cast<int>(status.code()));
      answer->mutable_error()->set_message(WireMessage(status));
    }
    Finish(call, absl::OkStatus());
  };
  if (!parsed.ok()) return done(parsed);
  handler_.Predict(*request, call->Context(PredictMethod::kPredictStream),
                   response->mutable_response(), done);
}

void PredictionFrontend::ModelInfer(Call* call) {
  const inference::ModelInferRequest* request;
  const absl::Status parsed = call->Parse(call->message()->request(), &infer_cache_, &request);
  if (!parsed.ok()) return Finish(call, parsed);
  handler_.Infer(*request, call->Context(PredictMethod::kModelInfer),
                 call->MakeResponse<inference::ModelInferResponse>(),
                 [this, call](const absl::Status& status) { Finish(call, status); });
}

void PredictionFrontend::ModelStreamInfer(Call* call) {
  const inference::ModelInferRequest* request;
  const absl::Status parsed = call->Parse(call->message()->request(), &infer_cache_, &request);
  auto* response = call->MakeResponse<inference::ModelStreamInferResponse>();
  // A request that does not parse may have an id that is not UTF-8.
  response->mutable_infer_response()->set_id(parsed.ok() ? request->id()
                                                         : EscapeInvalidUtf8(request->id()));
  const auto done = [this, call](const absl::Status& status) {
    if (!status.ok()) {
      static_cast<inference::ModelStreamInferResponse*>(call->response())
          ->set_error_message(WireMessage(status));
    }
    Finish(call, absl::OkStatus());
  };
  if (!parsed.ok()) return done(parsed);
  handler_.Infer(*request, call->Context(PredictMethod::kModelStreamInfer),
                 response->mutable_infer_response(), done);
}

void PredictionFrontend::Finish(Call* call, const absl::Status& status) {
  std::unique_ptr<Call> owned(call);
  InboundMessage* const message = call->message();
  if (status.ok()) {
    const google::protobuf::Message& response = *call->response();
    const size_t bytes = response.ByteSizeLong();
    response.SerializeWithCachedSizesToArray(message->AllocateReply(bytes));
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
