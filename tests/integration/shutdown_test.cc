// How a real server stops: health turns first, calls in flight are answered, idle clients do not
// delay it. Where the drain time must not matter, it is an hour: a server that waits for it exceeds
// the test's time limit.
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "gtest/gtest.h"
#include "sigserve/v1/prediction.grpc.pb.h"
#include "sigserve/v1/training.grpc.pb.h"
#include "tests/integration/server_fixture.h"

namespace sigserve {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing_support::HttpGet;
using testing_support::ServerProcess;
using testing_support::TempRepository;

constexpr char kAnHour[] = "--drain_seconds=3600";

class ShutdownTest : public testing::Test {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::PredictStreamRequest, v1::PredictStreamResponse>;

  void SetUp() override { repository_.AddExample("linear_3_2"); }

  bool Start(const std::string& drain = kAnHour) {
    server_ = ServerProcess::Start(repository_.path(), {drain});
    if (server_ == nullptr) return false;
    stub_ = v1::PredictionService::NewStub(Channel());
    return true;
  }
  std::shared_ptr<grpc::Channel> Channel() const {
    grpc::ChannelArguments arguments;
    // Without growing windows: at most 64 KiB of unread answers.
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return grpc::CreateCustomChannel(server_->grpc_address(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  static v1::PredictStreamRequest MakeRequest(uint64_t id, size_t rows) {
    v1::PredictStreamRequest message;
    message.set_id(id);
    message.mutable_request()->mutable_model()->set_name("linear_3_2");
    message.mutable_request()->set_matrix(std::string(rows * 3 * sizeof(float), '\0'));
    return message;
  }
  /// A stream that is open at the server, with nothing in flight.
  std::unique_ptr<Stream> OpenStream(grpc::ClientContext* context) {
    auto stream = stub_->PredictStream(context);
    v1::PredictStreamResponse response;
    EXPECT_TRUE(stream->Write(MakeRequest(0, 1)) && stream->Read(&response));
    return stream;
  }
  /// Sends requests whose answers exceed the client's flow-control window, so that they stay in
  /// flight, and waits until the server has received all.
  static constexpr uint64_t kUnread = 40;
  void SendWithoutReading(Stream* stream) {
    for (uint64_t id = 1; id <= kUnread; ++id) EXPECT_TRUE(stream->Write(MakeRequest(id, 5000)));
    const std::string received = "method=\"PredictStream\",model=\"linear_3_2\",version=\"1\"} " +
                                 std::to_string(kUnread + 1);  // including OpenStream's
    while (HttpGet(server_->http_address(), "/metrics").body.find(received) == std::string::npos) {
    }
  }
  void SignalAndWaitUntilDraining() {
    server_->Signal(SIGTERM);
    while (HttpGet(server_->http_address(), "/readyz").code == 200) {
    }
  }

  TempRepository repository_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<v1::PredictionService::Stub> stub_;
};

TEST_F(ShutdownTest, HealthWatchersAreToldAndDoNotDelayIt) {
  ASSERT_TRUE(Start());
  const auto health = grpc::health::v1::Health::NewStub(Channel());
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service("linear_3_2");
  const auto reader = health->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  server_->Signal(SIGTERM);
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_FALSE(reader->Finish().ok());
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(ShutdownTest, IdleStreamsAndConnectionsDoNotDelayIt) {
  ASSERT_TRUE(Start());
  const auto idle = Channel();
  ASSERT_TRUE(idle->WaitForConnected(gpr_inf_future(GPR_CLOCK_REALTIME)));
  grpc::ClientContext context;
  const auto stream = OpenStream(&context);
  EXPECT_EQ(server_->Stop(), 0);
  v1::PredictStreamResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "the server is shutting down");
}

TEST_F(ShutdownTest, CallsInFlightAreAnswered) {
  ASSERT_TRUE(Start());
  grpc::ClientContext context;
  const auto stream = OpenStream(&context);
  SendWithoutReading(stream.get());
  stream->WritesDone();
  SignalAndWaitUntilDraining();
  EXPECT_TRUE(server_->running());
  v1::PredictStreamResponse response;
  uint64_t answers = 0;
  while (stream->Read(&response)) answers += response.has_response();
  EXPECT_EQ(answers, kUnread);
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_code() << ": " << status.error_message();
  EXPECT_EQ(server_->Wait(), 0);
}

TEST_F(ShutdownTest, AClientThatDoesNotReadDelaysItByTheDrainTimeAtMost) {
  ASSERT_TRUE(Start("--drain_seconds=1"));
  grpc::ClientContext context;
  const auto stream = OpenStream(&context);
  SendWithoutReading(stream.get());
  EXPECT_EQ(server_->Stop(), 0);
}

TEST_F(ShutdownTest, ASecondSignalEndsItAtOnce) {
  ASSERT_TRUE(Start());
  grpc::ClientContext context;
  const auto stream = OpenStream(&context);
  SendWithoutReading(stream.get());
  SignalAndWaitUntilDraining();
  EXPECT_EQ(HttpGet(server_->http_address(), "/readyz").code, 503);
  EXPECT_EQ(HttpGet(server_->http_address(), "/healthz").code, 200);
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 128 + SIGTERM);
}

TEST_F(ShutdownTest, ALongTrainingIsCancelledAndItsWatcherIsTold) {
  ASSERT_TRUE(Start());
  const auto training = v1::TrainingService::NewStub(Channel());
  grpc::ClientContext train_context;
  v1::TrainResponse job;
  const auto upload = training->Train(&train_context, &job);
  v1::TrainRequest message;
  v1::TrainSpec* spec = message.mutable_spec();
  spec->set_model_name("trained");
  spec->set_feature_count(64);
  spec->set_label_count(1);
  spec->mutable_architecture()->mutable_mlp()->add_hidden_units(2048);
  spec->set_epochs(1000000);
  spec->set_batch_size(0);  // all rows: takes seconds unless cancelled within the batch
  ASSERT_TRUE(upload->Write(message));
  constexpr size_t kRows = 20000;
  const std::vector<float> features(kRows * 64, 0.5F);
  std::vector<float> labels(kRows);
  for (size_t i = 0; i < kRows; i += 2) labels[i] = 1;
  message.mutable_chunk()->set_features(features.data(), features.size() * sizeof(float));
  message.mutable_chunk()->set_labels(labels.data(), labels.size() * sizeof(float));
  ASSERT_TRUE(upload->Write(message));
  upload->WritesDone();
  const grpc::Status trained = upload->Finish();
  ASSERT_TRUE(trained.ok()) << trained.error_message();

  grpc::ClientContext watch_context;
  v1::WatchJobRequest watch;
  watch.set_job_id(job.job_id());
  const auto events = training->WatchJob(&watch_context, watch);
  v1::JobEvent event;
  while (events->Read(&event) && event.job().state() != v1::JOB_STATE_RUNNING) {
  }
  server_->Signal(SIGTERM);
  while (events->Read(&event)) {
  }
  EXPECT_EQ(event.job().state(), v1::JOB_STATE_CANCELLED);
  EXPECT_TRUE(events->Finish().ok());
  EXPECT_EQ(server_->Wait(), 0);
}

}  // namespace
}  // namespace sigserve
