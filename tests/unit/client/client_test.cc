#include "client/client.h"

#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/support/fake_sigserve.h"
#include "tests/support/status_matchers.h"

namespace sigserve::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Code = absl::StatusCode;

class ClientTest : public testing::Test {
 protected:
  std::unique_ptr<Client> Connect(ClientOptions options = {}) {
    return ConnectTo(server_.address(), options);
  }

  /// Sleeping is recorded and advances the clock at once; without jitter (factor 0.5).
  std::unique_ptr<Client> ConnectTo(const std::string& address, ClientOptions options = {}) {
    auto client = Client::Create(address, options,
                                 {.now = [this] { return now_; },
                                  .sleep =
                                      [this](absl::Duration d) {
                                        slept_.push_back(d);
                                        now_ += d;
                                        if (on_sleep_) on_sleep_();
                                      },
                                  .uniform = [] { return 0.0; }});
    EXPECT_OK(client);
    return *std::move(client);
  }

  testing_support::FakeSigserve server_;
  std::vector<absl::Duration> slept_;
  absl::Time now_ = absl::Now();
  std::function<void()> on_sleep_;
};

v1::JobEvent EpochEvent(int64_t number) {
  v1::JobEvent event;
  event.set_number(number);
  event.mutable_epoch()->set_epoch(number);
  event.mutable_epoch()->set_training_loss(1.0 / static_cast<double>(number));
  return event;
}

TEST_F(ClientTest, PredictSendsRowsWithTheirShapeAndReadsEveryField) {
  v1::PredictRequest seen;
  server_.predict = [&seen](const v1::PredictRequest& request, v1::PredictResponse* response) {
    seen = request;
    response->set_model_name("m");
    response->set_model_version(7);
    v1::PredictOutput* output = response->add_outputs();
    output->set_name("p");
    output->add_shape(2);
    output->add_shape(1);
    output->set_is_probability(true);
    for (float p : {0.25F, 0.75F}) output->add_probabilities(p);
    for (float z : {-1.5F, 1.5F}) output->add_logits(z);
    for (float l : {-2.5F, -0.5F}) output->add_log_probabilities(l);
    for (bool d : {false, true}) output->add_decisions(d);
    output->add_labels("spam");
    output->add_int64_values(9);
    response->mutable_timing()->set_queued_us(1.5);
    response->mutable_timing()->set_batch_rows(2);
    return grpc::Status::OK;
  };
  const std::vector<float> rows = {1, 2, 3, 4, 5, 6};
  ASSERT_OK_AND_ASSIGN(
      const Prediction answer,
      Connect()->Predict(
          {.name = "m", .version = 7}, rows, 3,
          {.outputs = {"p"}, .logits = true, .decisions = true, .labels = true, .timing = true}));

  EXPECT_EQ(seen.model().version(), 7);
  ASSERT_EQ(seen.inputs_size(), 1);
  EXPECT_THAT(seen.inputs(0).shape(), ElementsAre(2, 3));
  EXPECT_EQ(seen.inputs(0).dtype(), v1::DATA_TYPE_FLOAT32);
  EXPECT_EQ(seen.inputs(0).data(),
            std::string(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(float)));
  EXPECT_THAT(seen.outputs(), ElementsAre("p"));
  EXPECT_TRUE(seen.return_logits() && seen.return_decisions() && seen.return_labels() &&
              seen.return_timing());
  EXPECT_FALSE(seen.return_log_probabilities());

  EXPECT_EQ(answer.model_version, 7);
  ASSERT_EQ(answer.outputs.size(), 1U);
  EXPECT_TRUE(answer.outputs[0].is_probability);
  EXPECT_THAT(answer.outputs[0].shape, ElementsAre(2, 1));
  EXPECT_THAT(answer.outputs[0].probabilities, ElementsAre(0.25F, 0.75F));
  EXPECT_THAT(answer.outputs[0].logits, ElementsAre(-1.5F, 1.5F));
  EXPECT_THAT(answer.outputs[0].log_probabilities, ElementsAre(-2.5F, -0.5F));
  EXPECT_THAT(answer.outputs[0].decisions, ElementsAre(false, true));
  EXPECT_THAT(answer.outputs[0].labels, ElementsAre("spam"));
  EXPECT_THAT(answer.outputs[0].int64_values, ElementsAre(9));
  ASSERT_TRUE(answer.timing.has_value());
  EXPECT_EQ(answer.timing->queued_us, 1.5);
}

TEST_F(ClientTest, LabelChoosesAVersion) {
  std::string label;
  server_.get_model = [&label](const v1::GetModelRequest& request, v1::GetModelResponse* response) {
    label = request.model().label();
    v1::TensorSpec* input = response->add_inputs();
    input->set_name("x");
    input->set_dtype(v1::DATA_TYPE_INT64);
    input->add_shape(-1);
    response->set_batchable(true);
    return grpc::Status::OK;
  };
  ASSERT_OK_AND_ASSIGN(const ModelInfo info, Connect()->GetModel({.name = "m", .label = "stable"}));
  EXPECT_EQ(label, "stable");
  ASSERT_EQ(info.inputs.size(), 1U);
  EXPECT_EQ(info.inputs[0].dtype, DataType::kInt64);
  EXPECT_THAT(info.inputs[0].shape, ElementsAre(-1));
  EXPECT_TRUE(info.batchable);
}

TEST_F(ClientTest, ModelsKeepTheirReasons) {
  server_.list_models = [](const auto&, v1::ListModelsResponse* response) {
    v1::ModelVersion* model = response->add_models();
    model->set_name("broken");
    model->set_version(3);
    model->set_state(v1::MODEL_STATE_FAILED);
    model->set_reason("truncated");
    return grpc::Status::OK;
  };
  ASSERT_OK_AND_ASSIGN(const auto models, Connect()->ListModels());
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0].state, ModelState::kFailed);
  EXPECT_EQ(models[0].reason, "truncated");
}

TEST_F(ClientTest, HealthOfAModel) {
  server_.check = [](const grpc::health::v1::HealthCheckRequest& request,
                     grpc::health::v1::HealthCheckResponse* response) {
    if (request.service() == "nobody") return grpc::Status(grpc::StatusCode::NOT_FOUND, "who?");
    response->set_status(request.service().empty()
                             ? grpc::health::v1::HealthCheckResponse::SERVING
                             : grpc::health::v1::HealthCheckResponse::NOT_SERVING);
    return grpc::Status::OK;
  };
  const auto client = Connect();
  EXPECT_EQ(*client->CheckHealth(""), Health::kServing);
  EXPECT_EQ(*client->CheckHealth("m"), Health::kNotServing);
  EXPECT_THAT(client->CheckHealth("nobody"), StatusIs(Code::kNotFound, "who?"));
}

TEST_F(ClientTest, TrainSendsTheSpecThenChunksOfAtMostOneMebibyte) {
  std::vector<v1::TrainRequest> seen;
  server_.train = [&seen](const std::vector<v1::TrainRequest>& messages,
                          v1::TrainResponse* response) {
    seen = messages;
    response->set_job_id("job-1");
    response->set_rows(3000);
    return grpc::Status::OK;
  };
  constexpr int64_t kRows = 3000;
  constexpr int64_t kColumns = 200;
  std::vector<float> features(kRows * kColumns);
  std::iota(features.begin(), features.end(), 0.0F);
  const std::vector<float> labels(kRows, 1.0F);
  TrainSpec spec{.model_name = "m", .hidden_units = {8, 4}, .activation = Activation::kTanh};
  spec.optimizer = Sgd{.learning_rate = 0.5, .momentum = 0.9};
  spec.schedule = {.epochs = 3, .batch_size = 32, .seed = 11, .validation_fraction = 0.25};
  spec.standardize = false;
  ASSERT_OK_AND_ASSIGN(
      const TrainReceipt receipt,
      Connect()->Train(
          spec,
          {.features = features, .feature_count = kColumns, .labels = labels, .label_count = 1}));
  EXPECT_EQ(receipt.job_id, "job-1");
  EXPECT_EQ(receipt.rows, 3000);

  ASSERT_EQ(seen.size(), 4U);
  const v1::TrainSpec& sent = seen[0].spec();
  EXPECT_EQ(sent.feature_count(), kColumns);
  EXPECT_THAT(sent.architecture().mlp().hidden_units(), ElementsAre(8, 4));
  EXPECT_EQ(sent.architecture().mlp().activation(), v1::ACTIVATION_TANH);
  EXPECT_EQ(sent.optimizer().sgd().learning_rate(), 0.5);
  EXPECT_EQ(sent.seed(), 11U);
  EXPECT_TRUE(sent.skip_standardization());
  std::string joined;
  size_t label_bytes = 0;
  for (size_t i = 1; i < seen.size(); ++i) {
    EXPECT_LE(seen[i].ByteSizeLong(), (1U << 20) + 64);
    joined += seen[i].chunk().features();
    label_bytes += seen[i].chunk().labels().size();
  }
  ASSERT_EQ(joined.size(), features.size() * sizeof(float));
  EXPECT_EQ(std::memcmp(joined.data(), features.data(), joined.size()), 0);
  EXPECT_EQ(label_bytes, labels.size() * sizeof(float));
}

TEST_F(ClientTest, WatchDeliversEveryEventOnceAcrossBrokenConnections) {
  std::vector<int64_t> asked_after;
  server_.watch = [&asked_after](const v1::WatchJobRequest& request,
                                 std::vector<v1::JobEvent>* events) {
    asked_after.push_back(request.after_event());
    // Two events, then the connection breaks; the server repeats the last one.
    const int64_t first = std::max<int64_t>(1, request.after_event());
    for (int64_t n = first; n <= std::min<int64_t>(request.after_event() + 2, 5); ++n) {
      events->push_back(EpochEvent(n));
    }
    if (request.after_event() >= 4) return grpc::Status::OK;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  };
  std::vector<int64_t> numbers;
  EXPECT_OK(Connect()->WatchJob(
      "job-1", 0, [&numbers](const JobEvent& event) { numbers.push_back(event.number); }));
  EXPECT_THAT(numbers, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(asked_after, ElementsAre(0, 2, 4));
  EXPECT_THAT(slept_, ElementsAre(absl::Milliseconds(50), absl::Milliseconds(50)));
}

TEST_F(ClientTest, WatchGivesUpWithoutProgress) {
  int calls = 0;
  server_.watch = [&calls](const auto&, auto*) {
    ++calls;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  };
  EXPECT_THAT(Connect()->WatchJob("job-1", 0, [](const JobEvent&) {}),
              StatusIs(Code::kUnavailable, "Socket closed"));
  EXPECT_EQ(calls, 3);
}

TEST_F(ClientTest, WatchCanBeStopped) {
  server_.watch_forever = true;
  server_.watch = [](const auto&, std::vector<v1::JobEvent>* events) {
    events->push_back(EpochEvent(1));
    return grpc::Status::OK;
  };
  std::stop_source stop;
  EXPECT_THAT(Connect()->WatchJob(
                  "job-1", 0, [&stop](const JobEvent&) { stop.request_stop(); }, stop.get_token()),
              StatusIs(Code::kCancelled, HasSubstr("stopped")));
}

TEST_F(ClientTest, ManyThreadsShareOneClient) {
  server_.predict = [](const v1::PredictRequest& request, v1::PredictResponse* response) {
    response->set_model_name(request.model().name());
    return grpc::Status::OK;
  };
  const auto client = Connect();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&client, name = std::to_string(t)] {
      for (int i = 0; i < 20; ++i) {
        const auto answer = client->Predict({.name = name}, std::vector<float>{1}, 1);
        ASSERT_OK(answer);
        EXPECT_EQ(answer->model_name, name);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Failures.

TEST_F(ClientTest, UnavailableIsRetriedWithBackoff) {
  int calls = 0;
  server_.predict = [&calls](const auto&, auto*) {
    return ++calls < 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "loading") : grpc::Status::OK;
  };
  EXPECT_OK(Connect()->Predict({.name = "m"}, std::vector<float>{1}, 1));
  EXPECT_EQ(calls, 3);
  EXPECT_THAT(slept_, ElementsAre(absl::Milliseconds(50), absl::Milliseconds(100)));
}

TEST_F(ClientTest, ThePushBackOfTheServerIsKept) {
  int calls = 0;
  server_.pushback_ms = "1234";
  server_.predict = [&calls](const auto&, auto*) {
    return ++calls < 2 ? grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full")
                       : grpc::Status::OK;
  };
  EXPECT_OK(Connect()->Predict({.name = "m"}, std::vector<float>{1}, 1));
  EXPECT_THAT(slept_, ElementsAre(absl::Milliseconds(1234)));
}

TEST_F(ClientTest, OverloadWithoutPushBackAndBadRequestsAreNotRetried) {
  for (const auto code :
       {grpc::StatusCode::RESOURCE_EXHAUSTED, grpc::StatusCode::INVALID_ARGUMENT}) {
    int calls = 0;
    server_.predict = [&calls, code](const auto&, auto*) {
      ++calls;
      return grpc::Status(code, "no");
    };
    EXPECT_THAT(Connect()->Predict({.name = "m"}, std::vector<float>{1}, 1),
                StatusIs(static_cast<Code>(code), "no"));
    EXPECT_EQ(calls, 1);
  }
}

TEST_F(ClientTest, TrainIsSentOnce) {
  int calls = 0;
  server_.pushback_ms = "1";
  server_.train = [&calls](const auto&, auto*) {
    ++calls;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
  };
  const std::vector<float> one = {1};
  EXPECT_THAT(
      Connect()->Train({.model_name = "m"}, {.features = one, .feature_count = 1, .labels = one}),
      StatusIs(Code::kUnavailable, "draining"));
  EXPECT_EQ(calls, 1);
}

TEST_F(ClientTest, AnErrorOfTheServerIsNotUnreachable) {
  server_.list_models = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not yet");
  };
  const auto models = Connect({.max_attempts = 1})->ListModels();
  EXPECT_THAT(models, StatusIs(Code::kUnavailable, "not yet"));
  EXPECT_FALSE(IsUnreachable(models.status()));
}

absl::Duration Sum(const std::vector<absl::Duration>& all) {
  return std::accumulate(all.begin(), all.end(), absl::ZeroDuration());
}

TEST_F(ClientTest, ConnectingIsRetriedUntilTheDeadline) {
  // Port 1 of the loopback interface: no test listens there.
  const auto models = ConnectTo("127.0.0.1:1", {.deadline = absl::Seconds(60)})->ListModels();
  EXPECT_THAT(models, StatusIs(Code::kUnavailable,
                               "cannot reach 127.0.0.1:1 within 1m: connection refused"));
  EXPECT_TRUE(IsUnreachable(models.status()));
  EXPECT_GT(slept_.size(), 20U);
  EXPECT_GT(Sum(slept_), absl::Seconds(59));
  EXPECT_LE(Sum(slept_), absl::Seconds(60));
}

TEST_F(ClientTest, AServerThatStartsLateIsReached) {
  const std::string socket = testing::TempDir() + "late.sock";
  grpc::health::v1::Health::Service health;  // answers UNIMPLEMENTED
  std::unique_ptr<grpc::Server> server;
  on_sleep_ = [&] {
    if (slept_.size() != 5) return;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
    builder.RegisterService(&health);
    server = builder.BuildAndStart();
  };
  const auto answer = ConnectTo("unix:" + socket, {.deadline = absl::Hours(10)})->CheckHealth("");
  EXPECT_THAT(answer, StatusIs(Code::kUnimplemented, testing::_));
  EXPECT_GE(slept_.size(), 5U);
}

TEST_F(ClientTest, OneAttemptDoesNotWaitForTheServer) {
  const auto models = ConnectTo("127.0.0.1:1", {.max_attempts = 1})->ListModels();
  EXPECT_TRUE(IsUnreachable(models.status()));
  EXPECT_TRUE(slept_.empty());
}

TEST_F(ClientTest, ALateAnswerIsDeadlineExceeded) {
  // Shared with the handler, which may still be leaving it when the test ends.
  const auto release = std::make_shared<absl::Notification>();
  server_.check = [](const auto&, auto*) { return grpc::Status::OK; };
  server_.list_models = [release](const auto&, auto*) {
    release->WaitForNotification();
    return grpc::Status::OK;
  };
  const auto client = Connect({.deadline = absl::Milliseconds(500)});
  ASSERT_OK(client->CheckHealth(""));  // connects, so that only the answer is late
  const auto models = client->ListModels();
  EXPECT_EQ(models.status().code(), Code::kDeadlineExceeded);
  EXPECT_FALSE(IsUnreachable(models.status()));
  release->Notify();
}

TEST_F(ClientTest, RowsThatAreNoRowsAreRefusedBeforeSending) {
  const auto client = Connect();
  const std::vector<float> four(4);
  EXPECT_THAT(client->Predict({.name = "m"}, four, 3),
              StatusIs(Code::kInvalidArgument, "rows: 4 values are not whole rows of 3 columns"));
  EXPECT_THAT(client->Predict({.name = "m"}, four, 0),
              StatusIs(Code::kInvalidArgument, HasSubstr("at least 1")));
  EXPECT_THAT(
      client->Train({.model_name = "m"}, {.features = four, .feature_count = 2, .labels = four}),
      StatusIs(Code::kInvalidArgument, "2 rows of features but 4 rows of labels"));
}

TEST_F(ClientTest, BadOptionsAreNamed) {
  const auto error = [](const std::string& address, const ClientOptions& options) {
    return std::string(Client::Create(address, options).status().message());
  };
  EXPECT_THAT(error("", {}), HasSubstr("address"));
  EXPECT_THAT(error("a:1", {.deadline = absl::ZeroDuration()}), HasSubstr("deadline"));
  EXPECT_THAT(error("a:1", {.max_attempts = 0}), HasSubstr("max_attempts"));
  EXPECT_THAT(error("a:1", {.max_message_bytes = 0}), HasSubstr("max_message_bytes"));
}

}  // namespace
}  // namespace sigserve::client
