// Predict on a real server: PyTorch's results, the error of every bad request, and clients that
// must leave the server healthy.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <future>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "sigserve/v1/model.grpc.pb.h"
#include "sigserve/v1/prediction.grpc.pb.h"
#include "tests/integration/server_fixture.h"
#include "tests/support/npy.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::HasSubstr;
using testing_support::ReadNpy;
using testing_support::ServerProcess;
using testing_support::TempRepository;

std::string Golden(const std::string& path) {
  return std::string(SIGSERVE_SOURCE_DIR "/tests/golden/parity/") + path;
}

std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// One server for all tests of the suite; each must leave it healthy.
class PredictTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    repository_ = new TempRepository;
    for (const char* model : {"linear_3_2_sigmoid", "mlp_64_128_2", "act_relu", "sigmoid_0d"}) {
      repository_->AddModel(model, 1, ReadBytes(Golden(std::string(model) + "/model.onnx")));
    }
    repository_->AddModel("any_rank", 1,
                          ReadBytes(SIGSERVE_SOURCE_DIR "/tests/golden/any_rank/model.onnx"));
    repository_->AddModel("garbage", 1, "this is no ONNX file");
    server_ = ServerProcess::Start(repository_->path(), {"--max_message_bytes=1000000"}).release();
  }
  static void TearDownTestSuite() {
    if (server_ != nullptr) {
      EXPECT_EQ(server_->Stop(), 0) << server_->log();
    }
    delete server_;
    delete repository_;
  }

  void SetUp() override {
    ASSERT_NE(server_, nullptr);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(server_->grpc_address(),
                                         grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::PredictionService::NewStub(channel_);
  }

  void TearDown() override {
    // After every test the next caller gets the right answer.
    ASSERT_TRUE(server_->running()) << server_->log();
    v1::PredictResponse response;
    const grpc::Status status = Predict(Linear({0.5F, -0.2F, 3.0F}), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.outputs(0).probabilities_size(), 2);
  }

  static v1::PredictRequest Linear(const std::vector<float>& values) {
    v1::PredictRequest request;
    request.mutable_model()->set_name("linear_3_2_sigmoid");
    v1::Tensor* x = request.add_inputs();
    x->add_shape(static_cast<int64_t>(values.size()) / 3);
    x->add_shape(3);
    x->mutable_float_values()->Add(values.begin(), values.end());
    return request;
  }

  grpc::Status Predict(const v1::PredictRequest& request, v1::PredictResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return stub_->Predict(&context, request, response);
  }

  void ExpectError(const v1::PredictRequest& request, grpc::StatusCode code,
                   const std::string& message) {
    v1::PredictResponse response;
    const grpc::Status status = Predict(request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(message));
  }

  static TempRepository* repository_;
  static ServerProcess* server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::PredictionService::Stub> stub_;
};

TempRepository* PredictTest::repository_ = nullptr;
ServerProcess* PredictTest::server_ = nullptr;

TEST_F(PredictTest, MatchesPyTorch) {
  for (const std::string model : {"linear_3_2_sigmoid", "mlp_64_128_2"}) {
    ASSERT_OK_AND_ASSIGN(const Tensor x, ReadNpy(Golden(model + "/x.npy")));
    ASSERT_OK_AND_ASSIGN(const Tensor y, ReadNpy(Golden(model + "/y.npy")));
    v1::PredictRequest request;
    request.mutable_model()->set_name(model);
    request.set_matrix(x.data(), x.bytes());
    request.set_return_logits(true);
    request.set_return_decisions(true);
    request.set_return_timing(true);
    v1::PredictResponse response;
    const grpc::Status status = Predict(request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    const v1::PredictOutput& out = response.outputs(0);
    ASSERT_EQ(out.probabilities_size(), y.elements()) << model;
    for (int i = 0; i < out.probabilities_size(); ++i) {
      const float p = out.probabilities(i);
      EXPECT_NEAR(p, y.values<float>()[static_cast<size_t>(i)], 1e-6) << model << " " << i;
      EXPECT_NEAR(p, 1 / (1 + std::exp(-out.logits(i))), 1e-6);
      EXPECT_EQ(out.decisions(i), p >= 0.5F);
    }
    EXPECT_EQ(response.model_version(), 1);
    // Many rows may be split if they take long, as under a sanitizer; a single one is not.
    EXPECT_GE(response.timing().batch_rows(), 1);
    EXPECT_LE(response.timing().batch_rows(), x.shape()[0]);
    request.set_matrix(x.data(), x.bytes() / static_cast<size_t>(x.shape()[0]));
    v1::PredictResponse one;
    ASSERT_TRUE(Predict(request, &one).ok());
    EXPECT_EQ(one.timing().batch_rows(), 1);
    EXPECT_EQ(one.outputs(0).probabilities(0), response.outputs(0).probabilities(0));
  }
}

TEST_F(PredictTest, OneSigmoidForTensorsOfAnyRank) {
  const std::vector<float> expected = {0.7311F, 0.8808F, 0.9526F, 0.9820F};
  const std::vector<std::vector<int64_t>> shapes = {{4}, {2, 2}, {2, 1, 2}, {1, 2, 1, 2}};
  for (const auto& shape : shapes) {
    v1::PredictRequest request;
    request.mutable_model()->set_name("any_rank");
    v1::Tensor* x = request.add_inputs();
    x->mutable_shape()->Add(shape.begin(), shape.end());
    for (const float value : {1, 2, 3, 4}) x->add_float_values(value);
    v1::PredictResponse response;
    const grpc::Status status = Predict(request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    const v1::PredictOutput& out = response.outputs(0);
    EXPECT_TRUE(std::equal(out.shape().begin(), out.shape().end(), shape.begin(), shape.end()));
    ASSERT_EQ(out.probabilities_size(), 4);
    for (int i = 0; i < 4; ++i) {
      EXPECT_NEAR(out.probabilities(i), expected[static_cast<size_t>(i)], 5e-5);
    }
  }
}

TEST_F(PredictTest, ScalarsAreAccepted) {
  for (const char* model : {"any_rank", "sigmoid_0d"}) {
    v1::PredictRequest request;
    request.mutable_model()->set_name(model);
    request.add_inputs()->add_float_values(1);
    v1::PredictResponse response;
    const grpc::Status status = Predict(request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.outputs(0).shape_size(), 0);
    EXPECT_NEAR(response.outputs(0).probabilities(0), 0.7311F, 5e-5);
  }
}

TEST_F(PredictTest, BadRequestsSayWhatIsWrong) {
  using grpc::StatusCode;
  v1::PredictRequest request = Linear({1, 2, 3});
  request.mutable_model()->set_name("no_such_model");
  ExpectError(
      request, StatusCode::NOT_FOUND,
      "'no_such_model' is not found; this server has: act_relu, any_rank, garbage, linear_3_2_s");
  request = Linear({1, 2, 3});
  request.mutable_model()->set_version(7);
  ExpectError(request, StatusCode::NOT_FOUND, "version 7 is not found; it has versions: 1");
  request = Linear({1, 2, 3});
  request.mutable_model()->set_label("canary");
  ExpectError(request, StatusCode::NOT_FOUND, "no version label 'canary'; it has: latest, stable");
  request = Linear({1, 2, 3});
  request.mutable_model()->set_name("garbage");
  ExpectError(request, StatusCode::UNAVAILABLE, "ONNX_PARSE: the file is no message of ONNX");
  request = Linear({1, 2, 3});
  request.mutable_inputs(0)->set_name("z");
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "'z'");
  request = Linear({1, 2, 3});
  request.mutable_inputs(0)->set_dtype(v1::DATA_TYPE_INT32);
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "INT32");
  request = Linear({1, 2, 3});
  request.mutable_inputs(0)->mutable_shape()->Truncate(1);
  request.mutable_inputs(0)->set_shape(0, 3);
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "[3]");
  request = Linear({1, 2, 3});
  request.mutable_inputs(0)->set_shape(0, 3);
  request.mutable_inputs(0)->set_shape(1, 1);
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "[3,1]");
  request = Linear({});
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "empty");
  request = Linear({1, 2, 3});
  request.set_matrix("0123");
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "both");
  request = Linear({1, 2, 3});
  request.mutable_inputs(0)->set_shape(0, int64_t{1} << 31);
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "2147483648");
  request.clear_inputs();
  request.set_matrix("0123456");
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "7 bytes");
  request = Linear({1, 2, 3});
  request.add_outputs("nothing");
  ExpectError(request, StatusCode::INVALID_ARGUMENT, "'nothing'");
}

TEST_F(PredictTest, ARawOutputHasNoDecisions) {
  ASSERT_OK_AND_ASSIGN(const Tensor x, ReadNpy(Golden("act_relu/x.npy")));
  v1::PredictRequest request;
  request.mutable_model()->set_name("act_relu");
  v1::Tensor* tensor = request.add_inputs();
  tensor->mutable_shape()->Add(x.shape().dims().begin(), x.shape().dims().end());
  tensor->set_data(x.data(), x.bytes());
  v1::PredictResponse response;
  EXPECT_TRUE(Predict(request, &response).ok());
  EXPECT_FALSE(response.outputs(0).is_probability());
  request.set_return_decisions(true);
  ExpectError(request, grpc::StatusCode::FAILED_PRECONDITION, "MODEL_NOT_CLASSIFIER");
}

TEST_F(PredictTest, AMessageOverTheLimitIsRefused) {
  v1::PredictRequest request = Linear({1, 2, 3});
  request.set_matrix(std::string(2'000'000, 'x'));
  ExpectError(request, grpc::StatusCode::RESOURCE_EXHAUSTED, "larger than max (20000");
}

// In these two gRPC's client reports the deadline itself. hostile_test covers the server's own
// answer to late calls.
TEST_F(PredictTest, CallsWithAPastDeadlineFail) {
  for (int i = 0; i < 100; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
    v1::PredictResponse response;
    EXPECT_EQ(stub_->Predict(&context, Linear({1, 2, 3}), &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  }
}

TEST_F(PredictTest, AOneMicrosecondDeadlineIsMetOrExceeded) {
  // gRPC rounds up to a millisecond: a fast server may still be in time.
  for (int i = 0; i < 300; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::microseconds(1));
    v1::PredictResponse response;
    const grpc::Status status = stub_->Predict(&context, Linear({1, 2, 3}), &response);
    EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
        << status.error_message();
  }
}

TEST_F(PredictTest, AThousandConcurrentCallsAllGetTheirOwnAnswer) {
  constexpr int kCalls = 1000;
  struct Call {
    grpc::ClientContext context;
    v1::PredictRequest request;
    v1::PredictResponse response;
    grpc::Status status;
  };
  std::vector<Call> calls(kCalls);
  std::atomic<int> left = kCalls;
  std::promise<void> all;
  for (int i = 0; i < kCalls; ++i) {
    Call& call = calls[static_cast<size_t>(i)];
    call.request = Linear({static_cast<float>(i) / kCalls, 0, 0});
    call.request.set_return_logits(true);
    stub_->async()->Predict(&call.context, &call.request, &call.response,
                            [&call, &left, &all](grpc::Status status) {
                              call.status = std::move(status);
                              if (--left == 0) all.set_value();
                            });
  }
  all.get_future().wait();
  // Logits are linear in the input: two known answers give all the others.
  const float first = calls.front().response.outputs(0).logits(0);
  const float last = calls.back().response.outputs(0).logits(0);
  for (int i = 0; i < kCalls; ++i) {
    const Call& call = calls[static_cast<size_t>(i)];
    ASSERT_TRUE(call.status.ok()) << call.status.error_message();
    const float expected = first + (last - first) * static_cast<float>(i) / (kCalls - 1);
    EXPECT_NEAR(call.response.outputs(0).logits(0), expected, 1e-5) << i;
  }
}

TEST_F(PredictTest, CancelledCallsLeaveTheServerHealthy) {
  // Cancelled right after the start: the server sees it at any point of the call.
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<v1::PredictResponse> responses(200);
  const v1::PredictRequest request = Linear(std::vector<float>(3000, 0.5F));
  std::atomic<int> left = 200;
  std::promise<void> all;
  for (int i = 0; i < 200; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    stub_->async()->Predict(contexts.back().get(), &request, &responses[static_cast<size_t>(i)],
                            [&](const grpc::Status&) {
                              if (--left == 0) all.set_value();
                            });
    contexts.back()->TryCancel();
  }
  all.get_future().wait();
}

TEST_F(PredictTest, ModelsAreListedWithTheirReasons) {
  const auto stub = v1::ModelService::NewStub(channel_);
  grpc::ClientContext list_context;
  v1::ListModelsResponse list;
  ASSERT_TRUE(stub->ListModels(&list_context, {}, &list).ok());
  int failed = 0;
  for (const v1::ModelVersion& model : list.models()) {
    if (model.state() == v1::MODEL_STATE_READY) continue;
    ++failed;
    EXPECT_EQ(model.name(), "garbage");
    EXPECT_EQ(model.state(), v1::MODEL_STATE_FAILED);
    EXPECT_FALSE(model.reason().empty());
  }
  EXPECT_EQ(failed, 1);

  grpc::ClientContext get_context;
  v1::GetModelRequest request;
  request.mutable_model()->set_name("linear_3_2_sigmoid");
  v1::GetModelResponse model;
  ASSERT_TRUE(stub->GetModel(&get_context, request, &model).ok());
  EXPECT_EQ(model.version(), 1);
  EXPECT_EQ(model.inputs(0).shape(1), 3);
  EXPECT_TRUE(model.outputs(0).is_probability());
  EXPECT_EQ(model.versions_size(), 1);
}

}  // namespace
}  // namespace sigserve
