// A prediction takes no memory of ours once its like have been seen: from the message's bytes to
// the reply's, through a real model and the real metrics, nothing is allocated.
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "inference/grpc_service.pb.h"
#include "model/base/clock.h"
#include "model/base/file.h"
#include "model/repository/repository.h"
#include "server/metrics/exporter.h"
#include "server/registry/model_registry.h"
#include "server/services/prediction_frontend.h"
#include "server/services/statistics.h"
#include "sigserve/v1/prediction.pb.h"
#include "tests/support/fake_message.h"
#include "tests/support/status_matchers.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIGSERVE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SIGSERVE_SANITIZED 1
#endif
#endif

namespace {

thread_local bool counting = false;
thread_local int allocations = 0;

}  // namespace

#ifndef SIGSERVE_SANITIZED  // they have operators of their own
void* operator new(size_t size) {
  if (counting) ++allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(size_t size, std::align_val_t alignment) {
  if (counting) ++allocations;
  const auto align = static_cast<size_t>(alignment);
  void* const memory = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace sigserve {
namespace {

using testing_support::FakeMessage;

enum Method { kModelInfer, kModelStreamInfer, kPredict, kPredictStream };
constexpr char kModel[] = "linear_3_2";

std::string Floats(int count) {
  const std::vector<float> values(static_cast<size_t>(count), 0.5F);
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

std::string Request(Method method, int rows) {
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
#ifdef SIGSERVE_SANITIZED
  GTEST_SKIP() << "a sanitizer allocates as it likes";
#endif
  PosixFileSystem files;
  RealClock clock;
  Repository repository(&files, SIGSERVE_SOURCE_DIR "/deploy/examples/repository");
  const auto registry =
      ModelRegistry::Create(&repository, &files, &clock, [](const std::string&, bool) {});
  ASSERT_OK(registry->Reload(kModel));
  const auto metrics = MetricsExporter::Create("0");
  StatisticsRecorder statistics(metrics.get(), &clock);
  PredictionFrontend frontend(registry.get(), &statistics, &clock, 1 << 20);

  for (const Method method : {kModelInfer, kModelStreamInfer, kPredict, kPredictStream}) {
    for (const int rows : {1, 32}) {
      std::vector<std::unique_ptr<FakeMessage>> messages;
      for (int i = 0; i < 8; ++i) {
        messages.push_back(std::make_unique<FakeMessage>(method, Request(method, rows)));
      }
      allocations = 0;
      for (int turn = 0; turn < 20; ++turn) {
        counting = turn >= 10;
        for (const auto& message : messages) frontend.OnMessage(message.get());
        frontend.OnDrained();
        counting = false;
        for (const auto& message : messages) ASSERT_OK(*message->status);
      }
      // Protobuf's own: it keeps raw contents in a std::string each, of more than 15 bytes here.
      const bool raw_string = method <= kModelStreamInfer && rows > 1;
      EXPECT_EQ(allocations, raw_string ? 80 : 0)
          << "method " << method << ", " << rows << " rows, 80 calls";
    }
  }
}

}  // namespace
}  // namespace sigserve
