// Training over gRPC against a real server: from the upload to the version that answers.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sigserve/v1/prediction.grpc.pb.h"
#include "sigserve/v1/training.grpc.pb.h"
#include "tests/integration/server_fixture.h"
#include "tests/support/npy.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::HasSubstr;

struct Data {
  int64_t columns = 0;
  std::vector<float> features;
  std::vector<float> labels;
};

/// A header, then rows of features with the label last.
Data ReadCsv(const std::string& name) {
  std::ifstream file(absl::StrCat(SIGSERVE_SOURCE_DIR, "/deploy/examples/", name));
  Data data;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    data.columns = static_cast<int64_t>(cells.size()) - 1;
    for (const std::string& cell : cells) {
      float value = 0;
      EXPECT_TRUE(absl::SimpleAtof(cell, &value)) << cell;
      data.features.push_back(value);
    }
    data.labels.push_back(data.features.back());
    data.features.pop_back();
  }
  EXPECT_GT(data.columns, 0) << name;
  return data;
}

std::string Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

/// The fraction of pairs of a positive and a negative row that the scores order; ties count half.
double RocAuc(const std::vector<float>& scores, const std::vector<float>& labels) {
  double in_order = 0;
  double pairs = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    for (size_t j = 0; j < labels.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      ++pairs;
      in_order += scores[i] > scores[j] ? 1 : (scores[i] == scores[j] ? 0.5 : 0);
    }
  }
  return in_order / pairs;
}

class TrainTest : public testing::Test {
 protected:
  void StartServer(const std::vector<std::string>& arguments = {}) {
    server_ = testing_support::ServerProcess::Start(repository_.path(), arguments);
    ASSERT_NE(server_, nullptr);
    grpc::ChannelArguments channel_arguments;
    channel_arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(server_->grpc_address(),
                                         grpc::InsecureChannelCredentials(), channel_arguments);
    training_ = v1::TrainingService::NewStub(channel_);
    prediction_ = v1::PredictionService::NewStub(channel_);
  }
  void SetUp() override { StartServer(); }

  static v1::TrainRequest Spec(const std::string& model, int64_t columns, int64_t epochs) {
    v1::TrainRequest request;
    request.mutable_spec()->set_model_name(model);
    request.mutable_spec()->set_feature_count(columns);
    request.mutable_spec()->set_epochs(epochs);
    return request;
  }
  static v1::TrainRequest Chunk(const std::vector<float>& features,
                                const std::vector<float>& labels) {
    v1::TrainRequest request;
    request.mutable_chunk()->set_features(Bytes(features));
    request.mutable_chunk()->set_labels(Bytes(labels));
    return request;
  }
  static v1::TrainRequest Chunk(const Data& data) { return Chunk(data.features, data.labels); }
  /// More epochs than any test waits for.
  static std::vector<v1::TrainRequest> EndlessJob() {
    return {Spec("endless", 1, 1'000'000), Chunk({1, 2, 3, 4}, {0, 1, 0, 1})};
  }

  grpc::Status Train(const std::vector<v1::TrainRequest>& messages, std::string* job_id) {
    grpc::ClientContext context;
    v1::TrainResponse response;
    const auto writer = training_->Train(&context, &response);
    for (const v1::TrainRequest& message : messages) {
      if (!writer->Write(message)) break;
    }
    writer->WritesDone();
    grpc::Status status = writer->Finish();
    *job_id = response.job_id();
    return status;
  }
  std::string MustTrain(const std::vector<v1::TrainRequest>& messages) {
    std::string id;
    const grpc::Status status = Train(messages, &id);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return id;
  }

  std::vector<v1::JobEvent> Watch(const std::string& id, int64_t after = 0) {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_job_id(id);
    request.set_after_event(after);
    const auto reader = training_->WatchJob(&context, request);
    std::vector<v1::JobEvent> events;
    v1::JobEvent event;
    while (reader->Read(&event)) {
      EXPECT_EQ(event.number(), after + 1 + static_cast<int64_t>(events.size()));
      events.push_back(event);
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return events;
  }
  /// Watches to the end, which must be a success.
  v1::Job WatchToSuccess(const std::string& id, std::vector<double>* losses = nullptr) {
    const std::vector<v1::JobEvent> events = Watch(id);
    if (events.empty()) return {};
    for (const v1::JobEvent& event : events) {
      if (losses != nullptr && event.has_epoch()) losses->push_back(event.epoch().training_loss());
    }
    EXPECT_EQ(events.back().job().state(), v1::JOB_STATE_SUCCEEDED)
        << events.back().job().message();
    return events.back().job();
  }
  v1::Job GetJob(const std::string& id) {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_job_id(id);
    v1::Job job;
    const grpc::Status status = training_->GetJob(&context, request, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job;
  }
  void Cancel(const std::string& id) {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_job_id(id);
    v1::Job job;
    EXPECT_TRUE(training_->CancelJob(&context, request, &job).ok());
  }
  int JobCount() {
    grpc::ClientContext context;
    v1::ListJobsResponse jobs;
    EXPECT_TRUE(training_->ListJobs(&context, {}, &jobs).ok());
    return jobs.jobs_size();
  }
  grpc::Status Predict(const std::string& model, const std::vector<float>& rows,
                       v1::PredictResponse* response) {
    grpc::ClientContext context;
    v1::PredictRequest request;
    request.mutable_model()->set_name(model);
    request.set_matrix(Bytes(rows));
    request.set_return_labels(true);
    return prediction_->Predict(&context, request, response);
  }
  /// Reads events until an epoch is done.
  void WaitUntilTraining(const std::string& id) {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_job_id(id);
    const auto reader = training_->WatchJob(&context, request);
    v1::JobEvent event;
    while (reader->Read(&event) && !event.has_epoch()) {
    }
    EXPECT_TRUE(event.has_epoch());
    context.TryCancel();
    reader->Finish();
  }

  testing_support::TempRepository repository_;
  std::unique_ptr<testing_support::ServerProcess> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::TrainingService::Stub> training_;
  std::unique_ptr<v1::PredictionService::Stub> prediction_;
};

TEST_F(TrainTest, PredictionsSucceedWhileANewVersionIsTrainedAndPublished) {
  server_.reset();
  repository_.AddExample("breast_cancer");
  StartServer();
  const Data train = ReadCsv("breast_cancer/train.csv");
  const Data test = ReadCsv("breast_cancer/test.csv");

  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      int64_t version = 1;
      while (!stop) {
        v1::PredictResponse response;
        const grpc::Status status = Predict("breast_cancer", test.features, &response);
        EXPECT_TRUE(status.ok()) << status.error_message();
        EXPECT_GE(response.model_version(), version);  // never an older one
        version = response.model_version();
        ++answered;
      }
    });
  }
  v1::TrainRequest spec = Spec("breast_cancer", train.columns, 60);
  spec.mutable_spec()->mutable_architecture()->mutable_mlp()->add_hidden_units(16);
  spec.mutable_spec()->mutable_optimizer()->mutable_adam()->set_learning_rate(0.01);
  spec.mutable_spec()->set_batch_size(32);
  spec.mutable_spec()->set_validation_fraction(0.25);
  std::vector<double> losses;
  const v1::Job job = WatchToSuccess(MustTrain({spec, Chunk(train)}), &losses);
  stop = true;
  for (std::thread& client : clients) client.join();

  EXPECT_GT(answered, 0);
  EXPECT_EQ(job.published_version(), 2);
  ASSERT_EQ(losses.size(), 60u);
  EXPECT_LT(losses.back(), losses.front());
  EXPECT_GT(job.last_epoch().validation_roc_auc(), 0.95);
  v1::PredictResponse response;
  ASSERT_TRUE(Predict("breast_cancer", test.features, &response).ok());
  EXPECT_EQ(response.model_version(), 2);
  const auto& probabilities = response.outputs(0).probabilities();
  const double auc = RocAuc({probabilities.begin(), probabilities.end()}, test.labels);
  std::printf("breast cancer: ROC-AUC on held-out rows %g\n", auc);
  EXPECT_GE(auc, 0.985);
}

// Adam, learning rate 0.01, full batch, from recorded weights: PyTorch's losses.
TEST_F(TrainTest, LossesMatchPyTorch) {
  const std::string golden = absl::StrCat(SIGSERVE_SOURCE_DIR, "/tests/golden/train_64_128_2/");
  const auto read = [&](const std::string& name) {
    absl::StatusOr<Tensor> tensor = testing_support::ReadNpy(golden + name + ".npy");
    EXPECT_OK(tensor);
    return *std::move(tensor);
  };
  const Tensor x = read("x");
  const Tensor y = read("y");
  const Tensor expected = read("adam");
  v1::TrainRequest request = Spec("tutorial", 64, 10);
  v1::TrainSpec& spec = *request.mutable_spec();
  spec.set_label_count(2);
  spec.mutable_architecture()->mutable_mlp()->add_hidden_units(128);
  spec.mutable_optimizer()->mutable_adam()->set_learning_rate(0.01);
  spec.set_keep_order(true);
  spec.set_skip_standardization(true);
  for (const char* name : {"0.weight", "0.bias", "2.weight", "2.bias"}) {
    const Tensor weight = read(name);
    v1::Tensor& out = *spec.add_initial_weights();
    out.set_name(name);
    for (const int64_t size : weight.shape().dims()) out.add_shape(size);
    out.set_data(weight.data(), weight.bytes());
  }
  // In three uneven chunks: how rows are split into messages must not matter.
  std::vector<v1::TrainRequest> messages = {request};
  const int64_t rows = x.shape()[0];
  for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, 1}, {1, 100}, {100, rows}}) {
    v1::TrainChunk& chunk = *messages.emplace_back().mutable_chunk();
    chunk.set_features(x.values<float>().data() + first * 64,
                       static_cast<size_t>(last - first) * 64 * sizeof(float));
    chunk.set_labels(y.values<float>().data() + first * 2,
                     static_cast<size_t>(last - first) * 2 * sizeof(float));
  }
  std::vector<double> losses;
  WatchToSuccess(MustTrain(messages), &losses);
  ASSERT_EQ(losses.size(), 10u);
  double worst = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    worst = std::max(worst, std::abs(losses[i] - expected.values<double>()[i]));
  }
  EXPECT_LE(worst, 1e-5);
  RecordProperty("max_abs_difference", absl::StrCat(worst));
  std::printf("per-epoch losses against PyTorch: max abs difference %g\n", worst);
}

TEST_F(TrainTest, ANewModelHasItsLabelNames) {
  v1::TrainRequest spec = Spec("fresh", 1, 5);
  spec.mutable_spec()->set_label_count(2);
  spec.mutable_spec()->add_label_names("very \"ill\"");
  spec.mutable_spec()->add_label_names("d\xC3\xA9j\xC3\xA0");
  const v1::Job job =
      WatchToSuccess(MustTrain({spec, Chunk({1, 2, 3, 4}, {0, 1, 0, 1, 1, 0, 1, 0})}));
  EXPECT_EQ(job.published_version(), 1);
  v1::PredictResponse response;
  const grpc::Status status = Predict("fresh", {1, 4}, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(response.outputs(0).labels(),
              testing::ElementsAre("very \"ill\"", "d\xC3\xA9j\xC3\xA0"));
}

TEST_F(TrainTest, CancelStopsAJobAndPublishesNothing) {
  const std::string id = MustTrain(EndlessJob());
  WaitUntilTraining(id);
  Cancel(id);
  const std::vector<v1::JobEvent> events = Watch(id);
  EXPECT_EQ(events.back().job().state(), v1::JOB_STATE_CANCELLED);
  v1::PredictResponse response;
  EXPECT_EQ(Predict("endless", {1}, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(TrainTest, WatchResumesAfterAnEvent) {
  const std::string id = MustTrain({Spec("m", 1, 5), Chunk({1, 2, 3, 4}, {0, 1, 0, 1})});
  ASSERT_EQ(Watch(id).size(), 8u);  // queued, running, 5 epochs, succeeded
  EXPECT_EQ(Watch(id, 6).size(), 2u);
  EXPECT_EQ(Watch(id, 8).size(), 0u);
}

TEST_F(TrainTest, SigtermDuringTrainingEndsWithZero) {
  const std::string id = MustTrain(EndlessJob());
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_job_id(id);
  const auto reader = training_->WatchJob(&context, request);
  v1::JobEvent event;
  while (reader->Read(&event) && !event.has_epoch()) {
  }
  server_->Signal(SIGTERM);
  while (reader->Read(&event)) {
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(event.job().message(), "the server is shutting down");
  EXPECT_EQ(server_->Wait(), 0);
  StartServer();
  EXPECT_EQ(GetJob(id).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(TrainTest, AKilledServerRemembersItsJobs) {
  const std::string id = MustTrain(EndlessJob());
  WaitUntilTraining(id);
  server_->Signal(SIGKILL);
  server_->Wait();
  StartServer();
  const v1::Job job = GetJob(id);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.message(), "the server stopped before it finished");
  EXPECT_NE(MustTrain(EndlessJob()), id);
}

// Bad input.

TEST_F(TrainTest, BadUploadsAreRefusedAndLeaveNoJob) {
  const auto spec = Spec("m", 2, 1);
  const auto good = Chunk({1, 2, 3, 4}, {0, 1});
  v1::TrainRequest no_epochs = Spec("m", 2, -1);
  v1::TrainRequest weights = Spec("m", 2, 1);
  weights.mutable_spec()->add_initial_weights()->set_name("0.weight");
  const struct {
    const char* what;
    std::vector<v1::TrainRequest> messages;
    std::vector<std::string> says;
  } kCases[] = {
      {"nothing", {}, {"no spec"}},
      {"no rows", {spec}, {"TRAIN_CHUNK", "no rows"}},
      {"chunk first", {good, spec}, {"TRAIN_CHUNK", "before the spec"}},
      {"two specs", {spec, spec, good}, {"TRAIN_PARAM", "twice"}},
      {"an empty message", {spec, v1::TrainRequest()}, {"TRAIN_CHUNK", "neither"}},
      {"an empty chunk", {spec, Chunk({}, {})}, {"TRAIN_CHUNK: chunk 0 is empty"}},
      {"half a row", {spec, good, Chunk({1, 2, 3}, {0})}, {"chunk 1", "12 bytes", "2 float32"}},
      {"rows differ", {spec, Chunk({1, 2}, {0, 1})}, {"1 rows of features", "2 rows of labels"}},
      {"label 2", {spec, good, Chunk({1, 2}, {2})}, {"TRAIN_LABEL", "row 2, column 0", "is 2"}},
      {"NaN", {spec, Chunk({1, NAN, 3, 4}, {0, 1})}, {"TRAIN_FEATURE", "row 0, column 1", "nan"}},
      {"one class", {spec, Chunk({1, 2, 3, 4}, {1, 1})}, {"TRAIN_LABEL", "column 0"}},
      {"epochs", {no_epochs, good}, {"TRAIN_PARAM: epochs is -1"}},
      {"a name", {Spec("../m", 2, 1), good}, {"model_name", "'../m'"}},
      {"no width", {Spec("m", 0, 1), good}, {"TRAIN_PARAM: feature_count is 0"}},
      {"weights", {weights, good}, {"TRAIN_PARAM: initial_weights"}}};
  for (const auto& test : kCases) {
    std::string id;
    const grpc::Status status = Train(test.messages, &id);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << test.what;
    for (const std::string& part : test.says) {
      EXPECT_THAT(status.error_message(), HasSubstr(part)) << test.what;
    }
  }
  EXPECT_EQ(JobCount(), 0);
}

TEST_F(TrainTest, ACancelledUploadCreatesNoJob) {
  for (int i = 0; i < 50; ++i) {
    grpc::ClientContext context;
    v1::TrainResponse response;
    const auto writer = training_->Train(&context, &response);
    for (const v1::TrainRequest& message : EndlessJob()) writer->Write(message);
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_EQ(JobCount(), 0);
}

TEST_F(TrainTest, UnknownJobs) {
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_job_id("job-000042");
  const auto reader = training_->WatchJob(&context, request);
  v1::JobEvent event;
  EXPECT_FALSE(reader->Read(&event));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("job-000042"));
}

class LimitedTrainTest : public TrainTest {
 protected:
  void SetUp() override {}
  void StartWith(const std::string& config) {
    const std::string path = repository_.path() + "/server.pbtxt";
    std::ofstream(path) << config;
    StartServer({"--config=" + path});
  }
};

TEST_F(LimitedTrainTest, DataBeyondTheLimitIsRefused) {
  StartWith("training { max_data_bytes: 1000 }");
  std::string id;
  const std::vector<float> rows(100, 1);
  const grpc::Status status = Train({Spec("m", 1, 1), Chunk(rows, rows), Chunk(rows, rows)}, &id);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("max_data_bytes is 1000"));
  EXPECT_FALSE(MustTrain({Spec("m", 1, 1), Chunk({1, 2}, {0, 1})}).empty());  // given back
}

TEST_F(LimitedTrainTest, TrainingCanBeSwitchedOff) {
  StartWith("training { disabled: true }");
  std::string id;
  EXPECT_EQ(Train(EndlessJob(), &id).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace sigserve
