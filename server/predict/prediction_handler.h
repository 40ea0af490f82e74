// The life of a prediction, free of any transport: decode, find the version, check, submit, encode,
// record. One function per API; unary calls and stream messages take the same way.
//
// Thread-safe as its sink is. A call returns at once; `done` is called exactly once, from any
// thread, possibly before the call returns. The request and the response belong to the
// caller and stay until then; the response is meaningful only if the status is OK. What a call
// needs meanwhile lives in the response's arena, if it has one.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "inference/grpc_service.pb.h"
#include "model/base/clock.h"
#include "server/codec/payloads.h"
#include "server/metrics/request_record.h"
#include "server/registry/model_registry.h"
#include "sigserve/v1/prediction.pb.h"

namespace sigserve {

/// What the transport knows of a call.
struct CallContext {
  PredictMethod method = PredictMethod::kPredict;
  /// On the handler's monotonic clock.
  MonotonicTime deadline = MonotonicTime::InfiniteFuture();
  /// True once the caller has gone; may be empty. Not asked after `done`.
  std::function<bool()> cancelled = {};
  /// Tensor bytes that were cut out of the request; null = all is in it.
  const Payloads* payloads = nullptr;
};

class PredictionHandler {
 public:
  using Done = std::function<void(const absl::Status& status)>;

  /// Protobuf's own bound on a message.
  static constexpr int64_t kLargestAnswer = (int64_t{1} << 31) - 1;

  /// `sink`: where tasks go. All must outlive it and every call. A request whose answer would have
  /// more than `max_answer_bytes` is RESOURCE_EXHAUSTED, before it is computed where the model's
  /// signature tells.
  PredictionHandler(ModelRegistry* registry, RequestRecorder* recorder, const Clock* clock,
                    TaskSink* sink, int64_t max_answer_bytes = kLargestAnswer);

  void Predict(const v1::PredictRequest& request, CallContext call, v1::PredictResponse* response,
               Done done);
  /// The request's `timeout` parameter (microseconds) shortens the deadline.
  void Infer(const inference::ModelInferRequest& request, CallContext call,
             inference::ModelInferResponse* response, Done done);

 private:
  class Exchange;
  class PredictExchange;
  class InferExchange;
  void Run(Exchange* exchange);
  /// Fills the task but for its `done`.
  absl::Status Prepare(Exchange& exchange, Task* task) const;
  absl::Status CheckAnswer(int64_t bytes) const;
  absl::Status Answer(Exchange& exchange, const TaskOutputs& outputs, const TaskTiming& timing);
  /// Ends the exchange, which is gone then.
  void Finish(Exchange* exchange, const absl::Status& status);

  ModelRegistry* const registry_;
  RequestRecorder* const recorder_;
  const Clock* const clock_;
  TaskSink* const sink_;
  const int64_t max_answer_bytes_;
};

}  // namespace sigserve
