#include "tests/integration/mixed_clients.h"

#include <grpcpp/grpcpp.h>
#include <poll.h>

#include <chrono>
#include <map>
#include <set>
#include <vector>

#include "absl/time/clock.h"
#include "client/bench/h2_connection.h"
#include "inference/grpc_service.grpc.pb.h"
#include "sigserve/v1/prediction.grpc.pb.h"
#include "tests/support/status_matchers.h"

namespace sigserve::testing_support {
namespace {

const int kTimeoutMs = static_cast<int>(kTimeout / absl::Milliseconds(1));

std::chrono::system_clock::time_point InMicroseconds(int64_t us) {
  return std::chrono::system_clock::now() + std::chrono::microseconds(us);
}

std::shared_ptr<grpc::Channel> OwnConnection(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

class UnaryCaller final : public Client {
 public:
  using Client::Client;

  void Run() override {
    const auto channel = OwnConnection(address());
    predict_ = v1::PredictionService::NewStub(channel);
    infer_ = inference::GRPCInferenceService::NewStub(channel);
    while (more() || !open_.empty()) {
      while (more() && open_.size() < kInFlight) Start();
      void* tag = nullptr;
      bool ok = false;
      const auto timeout = absl::ToChronoTime(absl::Now() + kTimeout);
      if (queue_.AsyncNext(&tag, &ok, timeout) != grpc::CompletionQueue::GOT_EVENT) {
        ADD_FAILURE() << open_.size() << " calls did not end";
        std::abort();  // gRPC still refers to them
      }
      End(static_cast<Call*>(tag));
      for (Call* call : open_) {
        if (call->cancel_after >= 0 && call->cancel_after-- == 0) call->context.TryCancel();
      }
    }
  }

 private:
  static constexpr size_t kInFlight = 64;

  struct Call {
    NumberedRequest sent;
    Method method = Method::kPredict;
    bool wild = false;
    int cancel_after = -1;
    grpc::ClientContext context;
    grpc::Status status;
    v1::PredictResponse predicted;
    inference::ModelInferResponse inferred;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::PredictResponse>> predict;
    std::unique_ptr<grpc::ClientAsyncResponseReader<inference::ModelInferResponse>> infer;
  };

  void Start() {
    Call* const call = *open_.insert(new Call).first;  // End() deletes it
    call->method = Chance(50) ? Method::kPredict : Method::kModelInfer;
    call->wild = Chance(50);
    call->sent = NextRequest(call->method, call->wild);
    tallies.Started(call->sent, call->method);
    if (call->wild) {
      if (Chance(40)) call->context.set_deadline(InMicroseconds(Below(4) * Below(1000)));
      if (Chance(40)) call->cancel_after = Below(30);
    }
    if (call->method == Method::kPredict) {
      v1::PredictRequest request;
      call->sent.Fill(&request);
      call->predict = predict_->AsyncPredict(&call->context, request, &queue_);
      call->predict->Finish(&call->predicted, &call->status, call);
    } else {
      inference::ModelInferRequest request;
      call->sent.Fill(&request);
      call->infer = infer_->AsyncModelInfer(&call->context, request, &queue_);
      call->infer->Finish(&call->inferred, &call->status, call);
    }
    if (call->cancel_after == 0) call->context.TryCancel();
  }

  void End(Call* call) {
    const std::unique_ptr<Call> owned(call);
    if (open_.erase(call) == 0) {
      ADD_FAILURE() << "a call ended twice";
      std::abort();
    }
    const grpc::StatusCode code = call->status.error_code();
    if (call->wild && (code == grpc::CANCELLED || code == grpc::DEADLINE_EXCEEDED)) {
      return tallies.Lost(call->sent, call->method);
    }
    tallies.Ended(call->sent, call->method, code);
    if (code != grpc::OK) return;
    const bool right = call->method == Method::kPredict ? call->sent.IsAnsweredBy(call->predicted)
                                                        : call->sent.IsAnsweredBy(call->inferred);
    tallies.wrong += right ? 0 : 1;
  }

  std::unique_ptr<v1::PredictionService::Stub> predict_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> infer_;
  grpc::CompletionQueue queue_;
  std::set<Call*> open_;
};

// The messages of both APIs' streams.
void Fill(const NumberedRequest& sent, v1::PredictStreamRequest* message) {
  message->set_id(sent.number);
  sent.Fill(message->mutable_request());
}
void Fill(const NumberedRequest& sent, inference::ModelInferRequest* message) {
  sent.Fill(message);
}
uint32_t NumberOf(const v1::PredictStreamResponse& answer) {
  return static_cast<uint32_t>(answer.id());
}
uint32_t NumberOf(const inference::ModelStreamInferResponse& answer) {
  return static_cast<uint32_t>(std::stoul(answer.infer_response().id()));
}
int CodeOf(const v1::PredictStreamResponse& answer) {
  return answer.has_error() ? answer.error().code() : 0;
}
int CodeOf(const inference::ModelStreamInferResponse& answer) {
  return answer.error_message().empty() ? 0
                                        : grpc::UNKNOWN;  // this API sends a text without a code
}
bool IsAnsweredBy(const NumberedRequest& sent, const v1::PredictStreamResponse& answer) {
  return sent.IsAnsweredBy(answer.response());
}
bool IsAnsweredBy(const NumberedRequest& sent, const inference::ModelStreamInferResponse& answer) {
  return sent.IsAnsweredBy(answer.infer_response());
}

/// The requests of a stream that are not answered yet.
class PendingRequests {
 public:
  PendingRequests(Method method, Tallies* tallies) : method_(method), tallies_(tallies) {}
  size_t size() const { return pending_.size(); }

  void Add(const NumberedRequest& sent) {
    tallies_->Started(sent, method_);
    pending_[sent.number] = sent;
  }
  template <typename Answer>
  void Answered(const Answer& answer) {
    const auto found = pending_.find(NumberOf(answer));
    if (found == pending_.end()) {
      ++tallies_->wrong;  // answered twice, or never sent
      return;
    }
    const int code = CodeOf(answer);
    tallies_->Ended(found->second, method_, code);
    if (code == 0 && !IsAnsweredBy(found->second, answer)) ++tallies_->wrong;
    pending_.erase(found);
  }
  void Lost() {
    for (const auto& [number, sent] : pending_) tallies_->Lost(sent, method_);
    pending_.clear();
  }

 private:
  const Method method_;
  Tallies* const tallies_;
  std::map<uint32_t, NumberedRequest> pending_;
};

class StreamCaller final : public Client {
 public:
  StreamCaller(std::string address, uint32_t first, uint32_t count, Method method)
      : Client(std::move(address), first, count), method_(method) {}

  void Run() override {
    const auto channel = OwnConnection(address());
    const auto predict = v1::PredictionService::NewStub(channel);
    const auto infer = inference::GRPCInferenceService::NewStub(channel);
    while (more()) {
      grpc::ClientContext context;
      const bool wild = Chance(50);
      context.set_deadline(wild && Chance(30)
                               ? InMicroseconds(Below(20'000))
                               : InMicroseconds(absl::ToInt64Microseconds(kTimeout)));
      if (method_ == Method::kPredictStream) {
        const auto stream = predict->PredictStream(&context);
        RunStream<v1::PredictStreamRequest, v1::PredictStreamResponse>(wild, &context,
                                                                       stream.get());
      } else {
        const auto stream = infer->ModelStreamInfer(&context);
        RunStream<inference::ModelInferRequest, inference::ModelStreamInferResponse>(wild, &context,
                                                                                     stream.get());
      }
    }
  }

 private:
  template <typename Request, typename Answer, typename Stream>
  void RunStream(bool wild, grpc::ClientContext* context, Stream* stream) {
    PendingRequests open(method_, &tallies);
    const auto ahead = 1 + static_cast<size_t>(Below(16));
    int messages = 1 + Below(200);
    int cancel_after = wild && Chance(60) ? Below(messages) : -1;
    bool healthy = true;
    Answer answer;
    while (healthy && (messages > 0 || open.size() > 0)) {
      while (healthy && messages > 0 && open.size() < ahead) {
        const NumberedRequest sent = NextRequest(method_, wild);
        open.Add(sent);
        Request request;
        Fill(sent, &request);
        healthy = stream->Write(request);
        messages = more() ? messages - 1 : 0;
        if (messages == 0) stream->WritesDone();
      }
      if (cancel_after >= 0 && cancel_after-- == 0) context->TryCancel();
      healthy = healthy && stream->Read(&answer);
      if (healthy) open.Answered(answer);
    }
    if (healthy && stream->Read(&answer)) ++tallies.wrong;  // one too many
    if (!healthy) {
      while (stream->Read(&answer)) open.Answered(answer);
    }
    const grpc::Status status = stream->Finish();
    if (wild) return open.Lost();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(open.size(), 0U);
    open.Lost();
  }

  const Method method_;
};

class DisconnectingCaller final : public Client {
 public:
  using Client::Client;

  void Run() override {
    while (more()) RunConnection();
  }

 private:
  static constexpr uint64_t kStream = 0;  // the stream's tag; a unary call's is its number + 1

  struct Answers final : bench::AnswerHandler {
    explicit Answers(Tallies* tallies) : stream(Method::kPredictStream, tallies) {}
    void OnMessage(uint64_t tag, absl::string_view message) override {
      if (tag == kStream) {
        v1::PredictStreamResponse answer;
        answer.ParseFromArray(message.data(), static_cast<int>(message.size()));
        stream.Answered(answer);
      } else {
        unary[tag].second.assign(message.data(), message.size());
      }
    }
    void OnEnd(uint64_t tag, int code) override {
      if (tag != kStream) ended.emplace_back(tag, code);
    }
    PendingRequests stream;
    std::map<uint64_t, std::pair<NumberedRequest, std::string>> unary;
    std::vector<std::pair<uint64_t, int>> ended;
  };

  void RunConnection() {
    Answers answers(&tallies);
    ASSERT_OK_AND_ASSIGN(auto connection, bench::H2Connection::Connect(address(), &answers));
    const int predict = connection->AddMethod({.path = "/sigserve.v1.PredictionService/Predict"});
    const int talk =
        connection->AddMethod({.path = "/sigserve.v1.PredictionService/PredictStream"});
    uint32_t stream = 0;
    for (int calls = Below(40); calls >= 0 && more(); --calls) {
      if (!connection->CanStart()) break;
      if (Chance(30)) {
        const NumberedRequest sent = NextRequest(Method::kPredictStream, true);
        answers.stream.Add(sent);
        v1::PredictStreamRequest request;
        Fill(sent, &request);
        if (stream == 0) {
          stream = connection->Start(talk, request.SerializeAsString(), false, kStream);
        } else {
          connection->Send(stream, request.SerializeAsString(), false);
        }
      } else {
        const NumberedRequest sent = NextRequest(Method::kPredict, true);
        tallies.Started(sent, Method::kPredict);
        answers.unary[sent.number + 1] = {sent, ""};
        v1::PredictRequest request;
        sent.Fill(&request);
        connection->Start(predict, request.SerializeAsString(), true, sent.number + 1);
      }
      if (Chance(10) && !connection->Pump().ok()) break;
    }
    for (int rounds = Below(4); rounds > 0 && connection->Pump().ok(); --rounds) {
      if (answers.ended.size() == answers.unary.size()) break;
      pollfd readable{connection->fd(), POLLIN, 0};
      EXPECT_EQ(poll(&readable, 1, kTimeoutMs), 1) << "no answer";
    }
    (void)connection->Pump();
    connection.reset();
    answers.stream.Lost();
    for (const auto& [tag, code] : answers.ended) {
      const auto found = answers.unary.find(tag);
      if (found == answers.unary.end()) {
        ++tallies.wrong;  // ended twice
        continue;
      }
      const auto& [sent, bytes] = found->second;
      tallies.Ended(sent, Method::kPredict, code);
      v1::PredictResponse response;
      if (code == 0 && !(response.ParseFromString(bytes) && sent.IsAnsweredBy(response))) {
        ++tallies.wrong;
      }
      answers.unary.erase(found);
    }
    for (const auto& [tag, call] : answers.unary) tallies.Lost(call.first, Method::kPredict);
  }
};

}  // namespace

std::unique_ptr<Client> UnaryClient(const std::string& address, uint32_t first, uint32_t count) {
  return std::make_unique<UnaryCaller>(address, first, count);
}
std::unique_ptr<Client> StreamClient(const std::string& address, uint32_t first, uint32_t count,
                                     Method method) {
  return std::make_unique<StreamCaller>(address, first, count, method);
}
std::unique_ptr<Client> LostClient(const std::string& address, uint32_t first, uint32_t count) {
  return std::make_unique<DisconnectingCaller>(address, first, count);
}

}  // namespace sigserve::testing_support
