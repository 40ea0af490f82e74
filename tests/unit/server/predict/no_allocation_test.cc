// A prediction takes no memory of ours once its like have been seen: from the message's bytes to
// the reply's, through a real model and the real metrics, nothing is allocated.
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "inference/grpc_service.pb.h"
#include "model/base/clock.h"
#include "model/base/file.h"
#include "model/repository/repository.h"
#include "server/metrics/exporter.h"
#include "server/metrics/statistics.h"
#include "server/predict/prediction_frontend.h"
#include "server/registry/model_registry.h"
#include "sigserve/v1/prediction.pb.h"
#include "tests/support/allocations/allocations.h"
#include "tests/support/fake_message.h"
#include "tests/support/prediction_methods.h"
#include "tests/support/sanitized.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::Allocations;
using testing_support::FakeMessage;
using testing_support::kModelInfer;
using testing_support::kModelStreamInfer;
using testing_support::kPredict;
using testing_support::kPredictStream;
using testing_support::PredictionMethod;
using testing_support::PredictionMethods;

constexpr char kModel[] = "linear_3_2";

std::string Floats(int count) {
  const std::vector<float> values(static_cast<size_t>(count), 0.5F);
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

std::string Request(PredictionMethod method, int rows) {
  if (method == kModelInfer || method == kModelStreamInfer) {
    inference::ModelInferRequest request;
    request.set_model_name(kModel);
    auto* input = request.add_inputs();
    input->set_datatype(std::string("FP32"));
    input->add_shape(rows);
    input->add_shape(3);
    *request.add_raw_input_contents() = Floats(3 * rows);
    return request.SerializeAsString();
  }
  v1::PredictRequest request;
  request.mutable_model()->set_name(kModel);
  request.set_matrix(Floats(3 * rows));
  request.set_return_logits(true);
  if (method == kPredict) return request.SerializeAsString();
  v1::PredictStreamRequest message;
  message.set_id(7);
  *message.mutable_request() = request;
  return message.SerializeAsString();
}

TEST(NoAllocationTest, InSteadyState) {
  PosixFileSystem files;
  RealClock clock;
  Repository repository(&files, SIGSERVE_SOURCE_DIR "/deploy/examples/repository");
  const auto registry =
      ModelRegistry::Create(&repository, &files, &clock, [](const std::string&, bool) {});
  ASSERT_OK(registry->Reload(kModel));
  const auto metrics = MetricsExporter::Create("0");
  StatisticsRecorder statistics(metrics.get(), &clock);
  PredictionFrontend frontend(registry.get(), &statistics, &clock, 1 << 20);
  const PredictionMethods methods(&frontend);

  for (const PredictionMethod method : {kModelInfer, kModelStreamInfer, kPredict, kPredictStream}) {
    for (const int rows : {1, 32}) {
      std::vector<std::unique_ptr<FakeMessage>> messages;
      for (int i = 0; i < 8; ++i) {
        messages.push_back(std::make_unique<FakeMessage>(Request(method, rows)));
      }
      int64_t allocations = 0;
      for (int turn = 0; turn < 20; ++turn) {
        const int64_t before = Allocations();
        for (const auto& message : messages) methods.Send(method, message.get());
        frontend.OnDrained();
        if (turn >= 10) allocations += Allocations() - before;
        for (const auto& message : messages) ASSERT_OK(*message->status);
      }
      // Protobuf's own: it keeps raw contents in a std::string each, of more than 15 bytes here.
      const bool raw_string =
          method <= kModelStreamInfer && rows > 1 && !testing_support::kSanitized;
      EXPECT_EQ(allocations, raw_string ? 80 : 0)
          << "method " << method << ", " << rows << " rows, 80 calls";
    }
  }
}

}  // namespace
}  // namespace sigserve
