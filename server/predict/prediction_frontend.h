// Where the transport's messages become predictions: parses each, hands it to the handler, runs
// what a turn has brought in batches, and serializes each answer straight into the reply. One per
// I/O thread, used by that thread; answers may come from any. Serves Predict, PredictStream,
// ModelInfer and ModelStreamInfer; a bad message of a stream is answered with its error, and the
// stream goes on.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "model/base/clock.h"
#include "server/batching/drain_batcher.h"
#include "server/codec/inference_codec.h"
#include "server/codec/prediction_codec.h"
#include "server/metrics/turn_recorder.h"
#include "server/predict/parse_cache.h"
#include "server/predict/prediction_handler.h"
#include "server/rpc/message.h"
#include "server/rpc/service_method.h"

namespace sigserve {

class PredictionFrontend final : public TurnHandler {
 public:
  /// The methods that it binds.
  static std::vector<ServiceMethod> Methods();

  /// `heavy`: where batches go that are too much for an I/O thread; null = none do. All must
  /// outlive it. Every message must be answered before its end. A request whose answer would have
  /// more than `max_answer_bytes` is RESOURCE_EXHAUSTED.
  PredictionFrontend(ModelRegistry* registry, RequestRecorder* recorder, const Clock* clock,
                     int64_t max_answer_bytes, TaskSink* heavy = nullptr);
  ~PredictionFrontend() override;

  OnMessage Bind(absl::string_view path) override;
  void OnDrained() override;
  /// Messages that are not answered yet. Any thread.
  int64_t requests_in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  class Call;

  std::unique_ptr<Call> TakeCall() ABSL_LOCKS_EXCLUDED(mutex_);
  /// The call is over; what it holds goes with the turn, or at once on another thread.
  void GiveBack(std::unique_ptr<Call> call) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndTurn();
  template <void (PredictionFrontend::*serve)(Call*)>
  OnMessage Binding();
  void Predict(Call* call);
  void PredictStream(Call* call);
  void ModelInfer(Call* call);
  void ModelStreamInfer(Call* call);
  void Finish(Call* call, const absl::Status& status);

  TurnRecorder recorder_;
  ParseCache<v1::PredictRequest> predict_cache_{PredictPayloads()};
  ParseCache<inference::ModelInferRequest> infer_cache_{InferPayloads()};
  DrainBatcher batcher_;
  PredictionHandler handler_;
  std::atomic<int64_t> in_flight_{0};
  // Calls for further use; those that ended in this turn, and still hold what its records name
  // (their views of the message's bytes are dead).
  std::vector<std::unique_ptr<Call>> spare_;
  std::vector<std::unique_ptr<Call>> ended_;
  // Spare calls that ended on other threads.
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Call>> returned_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sigserve
