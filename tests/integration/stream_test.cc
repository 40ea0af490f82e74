// PredictStream and ModelStreamInfer on a real server: a bad message is answered with an error and
// the stream continues; after a half-close all messages are answered; a client that disconnects
// affects no other.
#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "inference/grpc_service.grpc.pb.h"
#include "sigserve/v1/prediction.grpc.pb.h"
#include "tests/integration/server_fixture.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;
using testing_support::ServerProcess;
using testing_support::TempRepository;

class StreamTest : public testing::Test {
 protected:
  void SetUp() override {
    repository_.AddExample("linear_3_2");
    server_ = ServerProcess::Start(repository_.path());
    ASSERT_NE(server_, nullptr);
    channel_ = grpc::CreateChannel(server_->grpc_address(), grpc::InsecureChannelCredentials());
    stub_ = v1::PredictionService::NewStub(channel_);
    oip_ = inference::GRPCInferenceService::NewStub(channel_);
  }
  void TearDown() override {
    if (server_ != nullptr) {
      EXPECT_EQ(server_->Stop(), 0) << server_->log();
    }
  }

  static v1::PredictStreamRequest MakeRequest(uint64_t id, const std::string& model, float first) {
    v1::PredictStreamRequest message;
    message.set_id(id);
    message.mutable_request()->mutable_model()->set_name(model);
    v1::Tensor* x = message.mutable_request()->add_inputs();
    x->add_shape(1);
    x->add_shape(3);
    for (const float value : {first, 0.0F, 0.0F}) x->add_float_values(value);
    return message;
  }

  TempRepository repository_;
  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::PredictionService::Stub> stub_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> oip_;
};

TEST_F(StreamTest, OneBadMessageBetweenGoodOnes) {
  grpc::ClientContext context;
  const auto stream = stub_->PredictStream(&context);
  ASSERT_TRUE(stream->Write(MakeRequest(1, "linear_3_2", 1)));
  ASSERT_TRUE(stream->Write(MakeRequest(2, "no_such_model", 1)));
  v1::PredictStreamRequest empty;
  empty.set_id(3);
  empty.mutable_request()->mutable_model()->set_name("linear_3_2");
  ASSERT_TRUE(stream->Write(empty));
  ASSERT_TRUE(stream->Write(MakeRequest(4, "linear_3_2", 2)));
  stream->WritesDone();
  std::map<uint64_t, v1::PredictStreamResponse> answers;
  v1::PredictStreamResponse answer;
  while (stream->Read(&answer)) answers[answer.id()] = answer;
  EXPECT_TRUE(stream->Finish().ok());

  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[1].response().outputs(0).probabilities_size(), 2);
  EXPECT_EQ(answers[2].error().code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(answers[2].error().message(), HasSubstr("no_such_model"));
  EXPECT_EQ(answers[3].error().code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(answers[4].response().outputs(0).probabilities_size(), 2);
  EXPECT_NE(answers[1].response().outputs(0).probabilities(0),
            answers[4].response().outputs(0).probabilities(0));
}

TEST_F(StreamTest, MoreMessagesThanMayBeInFlightAreEachAnsweredOnce) {
  constexpr uint64_t kMessages = 2000;
  grpc::ClientContext context;
  const auto stream = stub_->PredictStream(&context);
  std::thread writer([&] {
    for (uint64_t id = 0; id < kMessages; ++id) {
      stream->Write(
          MakeRequest(id, id % 10 == 3 ? "no_such_model" : "linear_3_2", static_cast<float>(id)));
    }
    stream->WritesDone();
  });
  std::map<uint64_t, int> seen;
  v1::PredictStreamResponse answer;
  while (stream->Read(&answer)) {
    ++seen[answer.id()];
    EXPECT_EQ(answer.has_error(), answer.id() % 10 == 3) << answer.id();
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(seen.size(), kMessages);
  for (const auto& [id, count] : seen) EXPECT_EQ(count, 1) << id;
}

TEST_F(StreamTest, AnEmptyStreamEndsOk) {
  grpc::ClientContext context;
  const auto stream = stub_->PredictStream(&context);
  stream->WritesDone();
  v1::PredictStreamResponse answer;
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(StreamTest, OipAnswersInOrderWithIdsAndErrors) {
  grpc::ClientContext context;
  const auto stream = oip_->ModelStreamInfer(&context);
  for (int i = 0; i < 300; ++i) {
    inference::ModelInferRequest request;
    request.set_model_name(i % 7 == 2 ? "no_such_model" : "linear_3_2");
    request.set_id(std::to_string(i));
    auto* x = request.add_inputs();
    x->set_name("x");
    x->set_datatype("FP32");
    x->add_shape(1);
    x->add_shape(3);
    request.add_raw_input_contents(std::string(12, '\0'));
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  inference::ModelStreamInferResponse answer;
  int next = 0;
  while (stream->Read(&answer)) {
    EXPECT_EQ(answer.infer_response().id(), std::to_string(next));
    EXPECT_EQ(answer.error_message().empty(), next % 7 != 2) << answer.error_message();
    ++next;
  }
  EXPECT_EQ(next, 300);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(StreamTest, CancelledStreamsLeaveTheServerHealthy) {
  for (int i = 0; i < 50; ++i) {
    grpc::ClientContext context;
    const auto stream = stub_->PredictStream(&context);
    for (uint64_t id = 0; id < 20; ++id) stream->Write(MakeRequest(id, "linear_3_2", 1));
    context.TryCancel();
    stream->Finish();
  }
  ASSERT_TRUE(server_->running());
  grpc::ClientContext context;
  v1::PredictResponse response;
  EXPECT_TRUE(stub_->Predict(&context, MakeRequest(0, "linear_3_2", 1).request(), &response).ok());
}

}  // namespace
}  // namespace sigserve
