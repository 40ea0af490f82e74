// What a prediction costs above the transport, in process, on one thread: from a message's bytes to
// its reply's, through mlp_64_128_2 and the metrics, 64 messages a turn.
//   build/<preset>/bin/frontend_bench
#include <benchmark/benchmark.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "inference/grpc_service.pb.h"
#include "model/base/clock.h"
#include "model/base/file.h"
#include "model/repository/repository.h"
#include "server/metrics/exporter.h"
#include "server/metrics/statistics.h"
#include "server/predict/prediction_frontend.h"
#include "server/registry/model_registry.h"
#include "sigserve/v1/prediction.pb.h"
#include "tests/bench/models.h"
#include "tests/support/fake_message.h"
#include "tests/support/prediction_methods.h"

namespace sigserve::bench {
namespace {

using testing_support::FakeMessage;
using testing_support::kModelInfer;
using testing_support::kModelStreamInfer;
using testing_support::kPredict;
using testing_support::kPredictStream;
using testing_support::PredictionMethod;
using testing_support::PredictionMethods;

constexpr char kModel[] = "mlp_64_128_2";
constexpr int64_t kColumns = 64;
constexpr int kMessages = 64;

std::string Request(PredictionMethod method, int64_t rows) {
  const std::vector<float> x = RandomFloats(rows * kColumns, 1, 3);
  const std::string bytes(reinterpret_cast<const char*>(x.data()), x.size() * sizeof(float));
  if (method == kModelInfer || method == kModelStreamInfer) {
    inference::ModelInferRequest request;
    request.set_model_name(kModel);
    auto* input = request.add_inputs();
    input->set_name("x");
    input->set_datatype("FP32");
    input->add_shape(rows);
    input->add_shape(kColumns);
    request.add_raw_input_contents(bytes);
    return request.SerializeAsString();
  }
  v1::PredictRequest request;
  request.mutable_model()->set_name(kModel);
  v1::Tensor* input = request.add_inputs();
  input->set_name("x");
  input->add_shape(rows);
  input->add_shape(kColumns);
  input->set_data(bytes);
  if (method == kPredict) return request.SerializeAsString();
  v1::PredictStreamRequest message;
  message.set_id(7);
  *message.mutable_request() = request;
  return message.SerializeAsString();
}

/// kMessages of `request(i)` for each turn.
void Turns(benchmark::State& state, PredictionMethod method,
           const std::function<std::string(int i)>& request) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as the server does
  PosixFileSystem files;
  RealClock clock;
  Repository repository(&files, SIGSERVE_SOURCE_DIR "/deploy/examples/repository");
  const auto registry =
      ModelRegistry::Create(&repository, &files, &clock, [](const std::string&, bool) {});
  const absl::Status loaded = registry->Reload(kModel);
  if (!loaded.ok()) return state.SkipWithError(loaded.ToString().c_str());
  const auto metrics = MetricsExporter::Create("0");
  StatisticsRecorder statistics(metrics.get(), &clock);
  PredictionFrontend frontend(registry.get(), &statistics, &clock, 1 << 20);
  const PredictionMethods methods(&frontend);
  std::vector<std::unique_ptr<FakeMessage>> messages;
  for (int i = 0; i < kMessages; ++i) {
    messages.push_back(std::make_unique<FakeMessage>(request(i)));
  }
  for (auto _ : state) {
    for (const auto& message : messages) methods.Send(method, message.get());
    frontend.OnDrained();
  }
  for (const auto& message : messages) {
    if (!message->status->ok()) state.SkipWithError(message->status->ToString().c_str());
    // On a stream an error is an answer, too.
    if (message->reply.find(kModel) == std::string::npos || message->reply.size() > 2000) {
      state.SkipWithError(message->reply.c_str());
    }
  }
  state.SetItemsProcessed(state.iterations() * kMessages);
}

// The same request from all, but for its tensor.
void Turn(benchmark::State& state, PredictionMethod method) {
  const std::string request = Request(method, state.range(0));
  Turns(state, method, [&](int) { return request; });
}
BENCHMARK_CAPTURE(Turn, Predict, kPredict)->Arg(1)->Arg(32);
BENCHMARK_CAPTURE(Turn, PredictStream, kPredictStream)->Arg(1)->Arg(32);
BENCHMARK_CAPTURE(Turn, ModelInfer, kModelInfer)->Arg(1)->Arg(32);
BENCHMARK_CAPTURE(Turn, ModelStreamInfer, kModelStreamInfer)->Arg(1)->Arg(32);

// Each with an id of its own, as some clients send them: nothing is known of it before.
void TurnWithIds(benchmark::State& state) {
  Turns(state, kModelInfer, [](int i) {
    inference::ModelInferRequest id;
    id.set_id(absl::StrCat("request ", 1000 + i));
    return Request(kModelInfer, 1) + id.SerializeAsString();
  });
}
BENCHMARK(TurnWithIds);

// Of 1 to 32 rows.
void TurnOfSizes(benchmark::State& state) {
  Turns(state, kPredict, [](int i) { return Request(kPredict, 1 + i % 32); });
}
BENCHMARK(TurnOfSizes);

}  // namespace
}  // namespace sigserve::bench

BENCHMARK_MAIN();
