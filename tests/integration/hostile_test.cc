// Malicious and failing clients: zip bombs, stalled uploads, expired deadlines, clients that die
// during calls. After each the server is healthy.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/bench/h2_connection.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sigserve/v1/prediction.grpc.pb.h"
#include "sigserve/v1/training.grpc.pb.h"
#include "tests/integration/server_fixture.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;
using testing_support::HttpGet;
using testing_support::ServerProcess;
using testing_support::StartSigctl;
using testing_support::TempRepository;

constexpr char kPredict[] = "/sigserve.v1.PredictionService/Predict";

class HostileTest : public testing::Test {
 protected:
  void SetUp() override { repository_.AddExample("mlp_64_128_2"); }
  void TearDown() override {
    if (server_ == nullptr) return;
    ASSERT_TRUE(server_->running()) << server_->log();
    v1::PredictResponse response;
    grpc::ClientContext context;
    const grpc::Status status =
        v1::PredictionService::NewStub(channel_)->Predict(&context, MakeRequest(1), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(server_->Stop(), 0) << server_->log();
  }
  bool Start(const std::vector<std::string>& arguments = {}) {
    server_ = ServerProcess::Start(repository_.path(), arguments);
    if (server_ == nullptr) return false;
    channel_ = grpc::CreateChannel(server_->grpc_address(), grpc::InsecureChannelCredentials());
    return true;
  }

  static v1::PredictRequest MakeRequest(size_t rows) {
    v1::PredictRequest request;
    request.mutable_model()->set_name("mlp_64_128_2");
    request.set_matrix(std::string(rows * 64 * sizeof(float), '\0'));
    return request;
  }

  /// The sum of a counter over all series whose labels contain all of `labels`.
  int64_t Counter(const std::string& name, const std::vector<std::string>& labels) const {
    int64_t sum = 0;
    for (const absl::string_view line :
         absl::StrSplit(HttpGet(server_->http_address(), "/metrics").body, '\n')) {
      const std::string text(line);
      if (text.rfind(name + "{", 0) != 0) continue;
      bool all = true;
      for (const std::string& label : labels) all = all && text.find(label) != std::string::npos;
      int64_t value = 0;
      if (all && absl::SimpleAtoi(text.substr(text.rfind(' ') + 1), &value)) sum += value;
    }
    return sum;
  }

  TempRepository repository_;
  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(HostileTest, GzipBomb) {
  ASSERT_TRUE(Start({"--max_message_bytes=1000000"}));
  constexpr size_t kBomb = size_t{128} << 20;
  const int64_t before = server_->peak_memory();
  for (const char* method : {kPredict, "/sigserve.v1.ModelService/GetModel",
                             "/sigserve.v1.PredictionService/PredictStream"}) {
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    grpc::CompletionQueue queue;
    const std::string zeros(kBomb, '\0');
    const grpc::Slice slice(zeros.data(), zeros.size(), grpc::Slice::STATIC_SLICE);
    const grpc::ByteBuffer request(&slice, 1);
    const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
        << method << ": " << status.error_message();
  }
  EXPECT_LT(server_->peak_memory() - before, static_cast<int64_t>(kBomb / 4));
}

TEST_F(HostileTest, GzippedRequestsAreServed) {
  ASSERT_TRUE(Start());
  for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(algorithm);
    v1::PredictResponse response;
    const grpc::Status status =
        v1::PredictionService::NewStub(channel_)->Predict(&context, MakeRequest(1000), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.outputs(0).probabilities_size(), 2000);
  }
}

TEST_F(HostileTest, AStalledUploadReleasesItsMemory) {
  const std::string config = repository_.path() + ".config";
  std::ofstream(config) << "training { upload_stall_seconds: 1 max_data_bytes: 100 }";
  const bool started = Start({"--config=" + config});
  unlink(config.c_str());
  ASSERT_TRUE(started);
  const auto stub = v1::TrainingService::NewStub(channel_);
  v1::TrainRequest spec;
  spec.mutable_spec()->set_model_name("trained");
  spec.mutable_spec()->set_feature_count(1);
  spec.mutable_spec()->set_epochs(1);
  v1::TrainRequest rows;
  const float features[] = {1, 2, 3, 4, 5, 6, 7, 8};
  const float labels[] = {0, 1, 0, 1, 0, 1, 0, 1};
  rows.mutable_chunk()->set_features(features, sizeof features);
  rows.mutable_chunk()->set_labels(labels, sizeof labels);
  for (int round = 0; round < 2; ++round) {
    grpc::ClientContext context;
    v1::TrainResponse response;
    const auto upload = stub->Train(&context, &response);
    ASSERT_TRUE(upload->Write(spec) && upload->Write(rows));
    const grpc::Status status = upload->Finish();  // without WritesDone
    EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
    EXPECT_EQ(status.error_message(), "TRAIN_STALLED: no data arrived for 1s");
  }
  grpc::ClientContext context;
  v1::TrainResponse response;
  const auto upload = stub->Train(&context, &response);
  ASSERT_TRUE(upload->Write(spec) && upload->Write(rows) && upload->WritesDone());
  const grpc::Status status = upload->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

/// Counts how calls ended.
struct Tally final : bench::AnswerHandler {
  void OnMessage(uint64_t, absl::string_view) override {}
  void OnEnd(uint64_t, int code) override { ++codes[code]; }
  std::map<int, int64_t> codes;
};

// This client has no deadline timer of its own: only the server can say DEADLINE_EXCEEDED.
TEST_F(HostileTest, TheServerRefusesLateRequests) {
  ASSERT_TRUE(Start());
  Tally tally;
  ASSERT_OK_AND_ASSIGN(const auto connection,
                       bench::H2Connection::Connect(server_->grpc_address(), &tally));
  // gRPC rounds a microsecond up to a millisecond: with this many calls most are later than that.
  const int method = connection->AddMethod({.path = kPredict, .timeout_us = 1});
  const std::string message = MakeRequest(20).SerializeAsString();
  constexpr int64_t kCalls = 3000;
  for (int64_t sent = 0; sent < kCalls || connection->open_calls() > 0;) {
    while (sent < kCalls && connection->CanStart()) {
      connection->Start(method, message, /*last=*/true, static_cast<uint64_t>(sent++));
    }
    pollfd waiting{connection->fd(),
                   static_cast<short>(POLLIN | (connection->wants_write() ? POLLOUT : 0)), 0};
    poll(&waiting, 1, -1);
    ASSERT_OK(connection->Pump());
  }
  const int64_t late = tally.codes[grpc::StatusCode::DEADLINE_EXCEEDED];
  EXPECT_GT(late, 0);
  EXPECT_EQ(late + tally.codes[grpc::StatusCode::OK], kCalls) << "other codes";
  EXPECT_EQ(Counter("sigserve_requests_total", {"DEADLINE_EXCEEDED"}), late);
}

TEST_F(HostileTest, KilledClientsLeaveTheServerHealthy) {
  // With this drain time the server stops within the test's limit only if no call is left.
  ASSERT_TRUE(Start({"--drain_seconds=3600"}));
  for (const char* kind : {"--stream", "--api=oip", "--stream", "--api=sigserve"}) {
    const int64_t before = Counter("sigserve_requests_total", {"OK"});
    const pid_t client =
        StartSigctl({"--address", server_->grpc_address(), "bench", "mlp_64_128_2", kind, "-c",
                     "200", "--connections", "4", "--duration", "3600"});
    while (Counter("sigserve_requests_total", {"OK"}) == before) {
      ASSERT_EQ(waitpid(client, nullptr, WNOHANG), 0) << "sigctl ended by itself";
    }
    kill(client, SIGKILL);
    EXPECT_EQ(waitpid(client, nullptr, 0), client);
  }
}

}  // namespace
}  // namespace sigserve
