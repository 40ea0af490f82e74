#include "server/predict/prediction_handler.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/codec/inference_codec.h"
#include "server/codec/model_codec.h"
#include "server/codec/prediction_codec.h"

namespace sigserve {
namespace {

// Bytes allowed for names, shapes and labels, in addition to the values.
constexpr int64_t kAnswerOverhead = 4096;

/// Elements that output `index` will have for `rows` rows; 0 where the signature does not tell.
int64_t ExpectedElements(const Signature& signature, int index, int64_t rows) {
  const OutputSignature& output = signature.outputs[static_cast<size_t>(index)];
  if (output.any_rank || !signature.batchable) return 0;
  int64_t elements = rows;
  for (int i = 1; i < output.shape.rank(); ++i) elements *= std::max<int64_t>(0, output.shape[i]);
  return elements;
}

}  // namespace

/// One request on its way: what differs between the APIs, and what is kept until the answer.
class PredictionHandler::Exchange {
 public:
  Exchange(bool in_arena, CallContext call, Done done)
      : in_arena(in_arena), call(std::move(call)), done(std::move(done)) {}
  virtual ~Exchange() = default;

  virtual absl::StatusOr<ModelQuery> Query() = 0;
  /// Fills `inputs` and remembers what to answer with.
  virtual absl::Status Decode(const Signature& signature) = 0;
  /// Bytes of the answer's values, given how many elements each output of the signature has.
  virtual int64_t AnswerBytes(absl::FunctionRef<int64_t(int)> elements) const = 0;
  virtual void Encode(const TaskOutputs& outputs, const TaskTiming& timing) = 0;
  /// What the request asks for; 0 = nothing.
  virtual int priority() const = 0;

  const bool in_arena;
  CallContext call;
  Done done;
  MonotonicTime start;
  RequestRecord record;
  ServableHandle servable;  // pins the version until the answer is out
  DecodedInputs inputs;
};

class PredictionHandler::PredictExchange final : public Exchange {
 public:
  PredictExchange(const v1::PredictRequest& request, v1::PredictResponse* response,
                  const google::protobuf::Arena* arena, CallContext call, Done done)
      : Exchange(arena != nullptr, std::move(call), std::move(done)),
        request_(request),
        response_(response) {}

  absl::StatusOr<ModelQuery> Query() override { return DecodeModelSpec(request_.model()); }

  absl::Status Decode(const Signature& signature) override {
    SIGSERVE_ASSIGN_OR_RETURN(plan_, PlanOutputs(request_, signature));
    return DecodePredictInputs(request_, signature, &inputs, call.payloads);
  }

  int64_t AnswerBytes(absl::FunctionRef<int64_t(int)> elements) const override {
    int64_t bytes = 0;
    for (const OutputPlan& plan : plan_) {
      const DType dtype = servable->signature().outputs[static_cast<size_t>(plan.index)].dtype;
      const int64_t each = static_cast<int64_t>(SizeOf(dtype)) + (plan.logits ? 4 : 0) +
                           (plan.log_probabilities ? 4 : 0) + (plan.decisions ? 1 : 0);
      bytes += each * elements(plan.index);
    }
    return bytes;
  }

  void Encode(const TaskOutputs& outputs, const TaskTiming& timing) override {
    EncodePredictResponse(request_, *servable, plan_, outputs, timing, response_);
  }

  int priority() const override {
    constexpr uint32_t kLast = std::numeric_limits<int>::max();
    return static_cast<int>(std::min(request_.priority(), kLast));
  }

 private:
  const v1::PredictRequest& request_;
  v1::PredictResponse* const response_;
  OutputPlans plan_;
};

class PredictionHandler::InferExchange final : public Exchange {
 public:
  InferExchange(const inference::ModelInferRequest& request,
                inference::ModelInferResponse* response, const google::protobuf::Arena* arena,
                CallContext call, Done done)
      : Exchange(arena != nullptr, std::move(call), std::move(done)),
        request_(request),
        response_(response) {}

  absl::StatusOr<ModelQuery> Query() override {
    SIGSERVE_ASSIGN_OR_RETURN(parameters_, DecodeInferParameters(request_));
    call.deadline = std::min(call.deadline, start + parameters_.timeout);
    return DecodeQuery(request_.model_name(), request_.model_version());
  }

  absl::Status Decode(const Signature& signature) override {
    SIGSERVE_ASSIGN_OR_RETURN(selected_, DecodeInferOutputs(request_, signature));
    return DecodeInferInputs(request_, signature, &inputs, call.payloads);
  }

  int64_t AnswerBytes(absl::FunctionRef<int64_t(int)> elements) const override {
    int64_t bytes = 0;
    for (const int i : selected_) {
      const DType dtype = servable->signature().outputs[static_cast<size_t>(i)].dtype;
      bytes += static_cast<int64_t>(SizeOf(dtype)) * elements(i);
    }
    return bytes;
  }

  void Encode(const TaskOutputs& outputs, const TaskTiming& timing) override {
    EncodeInferResponse(request_, parameters_, *servable, selected_, outputs, timing, response_);
  }

  int priority() const override { return parameters_.priority; }

 private:
  const inference::ModelInferRequest& request_;
  inference::ModelInferResponse* const response_;
  InferParameters parameters_;
  OutputIndices selected_;
};

PredictionHandler::PredictionHandler(ModelRegistry* registry, RequestRecorder* recorder,
                                     const Clock* clock, TaskSink* sink, int64_t max_answer_bytes)
    : registry_(registry),
      recorder_(recorder),
      clock_(clock),
      sink_(sink),
      max_answer_bytes_(std::min(max_answer_bytes, kLargestAnswer)) {}

void PredictionHandler::Predict(const v1::PredictRequest& request, CallContext call,
                                v1::PredictResponse* response, Done done) {
  Run(google::protobuf::Arena::Create<PredictExchange>(response->GetArena(), request, response,
                                                       response->GetArena(), std::move(call),
                                                       std::move(done)));
}

void PredictionHandler::Infer(const inference::ModelInferRequest& request, CallContext call,
                              inference::ModelInferResponse* response, Done done) {
  Run(google::protobuf::Arena::Create<InferExchange>(response->GetArena(), request, response,
                                                     response->GetArena(), std::move(call),
                                                     std::move(done)));
}

void PredictionHandler::Run(Exchange* exchange) {
  exchange->start = clock_->Monotonic();
  exchange->record.method = exchange->call.method;
  Task task;
  const absl::Status prepared = Prepare(*exchange, &task);
  if (!prepared.ok()) return Finish(exchange, prepared);
  // Two pointers: a function of that size takes no memory of its own.
  task.done = [this, exchange](const absl::Status& status, const TaskOutputs* outputs,
                               const TaskTiming& timing) {
    exchange->record.queued = timing.queued;
    exchange->record.computed = timing.computed;
    exchange->record.batch_rows = timing.batch_rows;
    Finish(exchange, status.ok() ? Answer(*exchange, *outputs, timing) : status);
  };
  exchange->servable->Submit(std::move(task), sink_);
}

absl::Status PredictionHandler::Prepare(Exchange& exchange, Task* task) const {
  SIGSERVE_ASSIGN_OR_RETURN(const ModelQuery query, exchange.Query());
  absl::StatusOr<ServableHandle> found = registry_->Find(query);
  if (!found.ok()) {
    if (!registry_->Versions(query.model).empty()) exchange.record.model = query.model;
    return found.status();
  }
  exchange.servable = *std::move(found);
  exchange.record.model = exchange.servable->name();
  exchange.record.version = exchange.servable->version();
  if (exchange.call.deadline <= exchange.start) {
    return absl::DeadlineExceededError("the deadline had passed when the request arrived");
  }
  SIGSERVE_RETURN_IF_ERROR(exchange.Decode(exchange.servable->signature()));
  SIGSERVE_RETURN_IF_ERROR(exchange.servable->Check(exchange.inputs.tensors, task));
  exchange.record.rows = task->rows;
  const Signature& signature = exchange.servable->signature();
  SIGSERVE_RETURN_IF_ERROR(CheckAnswer(exchange.AnswerBytes(
      [&](int output) { return ExpectedElements(signature, output, task->rows); })));
  task->arrival = exchange.start;
  task->deadline = exchange.call.deadline;
  task->cancelled = std::move(exchange.call.cancelled);
  task->priority = exchange.priority();
  return absl::OkStatus();
}

absl::Status PredictionHandler::CheckAnswer(int64_t bytes) const {
  if (bytes + kAnswerOverhead <= max_answer_bytes_) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the answer would have about ", bytes,
                                                   " bytes; the limit is ", max_answer_bytes_,
                                                   ": send fewer rows, or ask for less of each"));
}

absl::Status PredictionHandler::Answer(Exchange& exchange, const TaskOutputs& outputs,
                                       const TaskTiming& timing) {
  SIGSERVE_RETURN_IF_ERROR(CheckAnswer(
      exchange.AnswerBytes([&](int output) { return outputs.output(output).elements(); })));
  try {
    exchange.Encode(outputs, timing);
  } catch (const std::exception& error) {  // out of memory: one request must not end the process
    return absl::ResourceExhaustedError(
        absl::StrCat("the answer could not be built: ", error.what()));
  }
  return absl::OkStatus();
}

void PredictionHandler::Finish(Exchange* exchange, const absl::Status& status) {
  exchange->record.code = status.code();
  exchange->record.total = clock_->Monotonic() - exchange->start;
  recorder_->Record(exchange->record);
  const Done done = std::move(exchange->done);
  if (!exchange->in_arena) delete exchange;
  done(status);  // the arena may go with it
}

}  // namespace sigserve
