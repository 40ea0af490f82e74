// A server process from start to stop: its output, its errors, its answers to probes.
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "gmock/gmock.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "gtest/gtest.h"
#include "tests/integration/server_fixture.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using client::Client;
using client::Health;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using testing_support::HttpGet;
using testing_support::RunSigserve;
using testing_support::ServerProcess;
using testing_support::TempRepository;

const std::vector<float> kRow = {0.5F, -0.2F, 3.0F};  // for linear_3_2

class LifecycleTest : public testing::Test {
 protected:
  // Starts a server over repository_; false when it did not start (the test has failed then).
  bool Start(const std::vector<std::string>& arguments = {}) {
    server_ = ServerProcess::Start(repository_.path(), arguments);
    if (server_ == nullptr) return false;
    auto client = Client::Create(server_->grpc_address());
    EXPECT_OK(client);
    client_ = std::move(*client);
    return true;
  }
  absl::Status Predict(const std::string& model, const std::vector<float>& row) {
    return client_->Predict({.name = model}, row, static_cast<int64_t>(row.size())).status();
  }

  TempRepository repository_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(LifecycleTest, SaysWhereItListensAndWhatItServes) {
  repository_.AddExample("linear_3_2");
  repository_.AddExample("breast_cancer");
  repository_.AddModel("broken", 1, "garbage");
  ASSERT_TRUE(Start());
  EXPECT_THAT(server_->announcement(),
              testing::MatchesRegex(absl::StrCat(
                  "sigserve [0-9.]+: gRPC on 127.0.0.1:[1-9][0-9]*, HTTP on 127.0.0.1:[1-9][0-9]*, "
                  "repository ",
                  repository_.path(), " \\(2 models ready, 1 failed\\)")));
  EXPECT_EQ(server_->Stop(), 0);
}

TEST_F(LifecycleTest, AnEmptyRepositoryIsServedWithAWarning) {
  ASSERT_TRUE(Start());
  EXPECT_THAT(server_->log(),
              HasSubstr(absl::StrCat("no models in ", repository_.path(), ": put each model at ",
                                     repository_.path(), "/<model>/<version>/model.onnx")));
  EXPECT_EQ(HttpGet(server_->http_address(), "/readyz").code, 200);
  EXPECT_THAT(Predict("m", {1}), StatusIs(absl::StatusCode::kNotFound, HasSubstr("'m'")));
  EXPECT_EQ(server_->Stop(), 0);
}

TEST_F(LifecycleTest, HealthAnswersForTheServerAndForEachModel) {
  repository_.AddExample("linear_3_2");
  repository_.AddModel("broken", 1, "garbage");
  ASSERT_TRUE(Start());
  for (const char* serving :
       {"", "linear_3_2", "sigserve.v1.PredictionService", "inference.GRPCInferenceService"}) {
    const auto health = client_->CheckHealth(serving);
    ASSERT_OK(health) << serving;
    EXPECT_EQ(*health, Health::kServing) << serving;
  }
  ASSERT_OK_AND_ASSIGN(const Health broken, client_->CheckHealth("broken"));
  EXPECT_EQ(broken, Health::kNotServing);
  EXPECT_THAT(client_->CheckHealth("no_such_name"),
              StatusIs(absl::StatusCode::kNotFound, testing::_));
}

TEST_F(LifecycleTest, ReflectionListsAndDescribesTheServices) {
  ASSERT_TRUE(Start());
  using grpc::reflection::v1alpha::ServerReflection;
  const auto stub = ServerReflection::NewStub(
      grpc::CreateChannel(server_->grpc_address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  grpc::reflection::v1alpha::ServerReflectionRequest request;
  grpc::reflection::v1alpha::ServerReflectionResponse response;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  std::vector<std::string> services;
  for (const auto& service : response.list_services_response().service()) {
    services.push_back(service.name());
  }
  EXPECT_THAT(services,
              UnorderedElementsAre("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                   "grpc.reflection.v1alpha.ServerReflection",
                                   "inference.GRPCInferenceService", "sigserve.v1.ModelService",
                                   "sigserve.v1.PredictionService", "sigserve.v1.TrainingService"));
  for (const std::string& service : services) {
    request.set_file_containing_symbol(service);
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_GT(response.file_descriptor_response().file_descriptor_proto_size(), 0) << service;
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(LifecycleTest, ReloadLoadsNewVersions) {
  ASSERT_TRUE(Start());
  repository_.AddExample("linear_3_2");
  EXPECT_THAT(Predict("linear_3_2", kRow), StatusIs(absl::StatusCode::kNotFound, testing::_));
  ASSERT_OK(client_->Reload(""));
  EXPECT_OK(Predict("linear_3_2", kRow));
  ASSERT_OK_AND_ASSIGN(const Health health, client_->CheckHealth("linear_3_2"));
  EXPECT_EQ(health, Health::kServing);
  repository_.AddModel("linear_3_2", 2, TempRepository::ExampleBytes("linear_3_2"));
  ASSERT_OK(client_->Reload("linear_3_2"));
  ASSERT_OK_AND_ASSIGN(const client::Prediction answer,
                       client_->Predict({.name = "linear_3_2"}, kRow, 3));
  EXPECT_EQ(answer.model_version, 2);
}

TEST_F(LifecycleTest, SighupReloadsTheRepository) {
  ASSERT_TRUE(Start());
  repository_.AddExample("linear_3_2");
  server_->Signal(SIGHUP);
  while (server_->running() && !Predict("linear_3_2", kRow).ok()) {
  }
  // A stop that comes while a reload runs is graceful, too.
  for (int i = 0; i < 20; ++i) server_->Signal(SIGHUP);
  EXPECT_EQ(server_->Stop(), 0);
}

TEST_F(LifecycleTest, HttpMayBeOff) {
  repository_.AddExample("linear_3_2");
  ASSERT_TRUE(Start({"--http-address=none"}));
  EXPECT_EQ(server_->http_address(), "");
  EXPECT_THAT(server_->announcement(), HasSubstr(", no HTTP, repository "));
  EXPECT_OK(Predict("linear_3_2", kRow));
  EXPECT_EQ(server_->Stop(), 0);
}

TEST_F(LifecycleTest, BadModelsLeaveTheOthersReady) {
  repository_.AddExample("linear_3_2");
  const std::string bytes = TempRepository::ExampleBytes("linear_3_2");
  repository_.AddModel("garbage", 1, "this is no model");
  repository_.AddModel("truncated", 1, bytes.substr(0, bytes.size() / 2));
  repository_.AddModel("empty", 1, "");
  std::string unknown = bytes;  // the same length, so that the file stays well-formed
  const size_t at = unknown.find("\x22\x04Gemm");  // NodeProto.op_type
  ASSERT_NE(at, std::string::npos);
  unknown.replace(at + 2, 4, "Gomm");
  repository_.AddModel("unknown_op", 1, unknown);
  repository_.AddExample("breast_cancer");
  repository_.AddConfig("breast_cancer", "max_batch: 8\n");
  ASSERT_TRUE(Start());

  EXPECT_OK(Predict("linear_3_2", kRow));
  ASSERT_OK_AND_ASSIGN(const std::vector<client::ModelVersion> models, client_->ListModels());
  std::map<std::string, std::string> reasons;
  for (const client::ModelVersion& model : models) {
    if (model.state == client::ModelState::kFailed) reasons[model.name] = model.reason;
  }
  EXPECT_THAT(
      reasons,
      UnorderedElementsAre(
          Pair("garbage", HasSubstr("ONNX_PARSE: ")), Pair("truncated", HasSubstr("ONNX_PARSE: ")),
          Pair("empty", HasSubstr("ONNX_")), Pair("unknown_op", HasSubstr("Gomm")),
          Pair("breast_cancer", AllOf(HasSubstr("config.pbtxt:1"), HasSubstr("max_batch")))));
  EXPECT_THAT(Predict("unknown_op", kRow),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("Gomm")));
}

TEST_F(LifecycleTest, FoldersThatAreNoModelsAreListedAsIgnored) {
  repository_.AddExample("linear_3_2");
  std::filesystem::create_directories(repository_.path() + "/docs/images");
  ASSERT_TRUE(Start());
  ASSERT_OK_AND_ASSIGN(const std::vector<client::ModelVersion> models, client_->ListModels());
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].state, client::ModelState::kReady);
  EXPECT_EQ(models[1].name, "docs");
  EXPECT_EQ(models[1].state, client::ModelState::kIgnored);
  EXPECT_EQ(models[1].reason, "no version directories and no config.pbtxt");
  EXPECT_THAT(server_->announcement(), HasSubstr("1 model ready, 0 failed"));
  EXPECT_THAT(HttpGet(server_->http_address(), "/metrics").body, Not(HasSubstr("docs")));
}

// Protobuf's parsers refuse a whole response for one string that is not UTF-8.
TEST_F(LifecycleTest, FilesInOtherEncodingsAreListedWithAReadableReason) {
  repository_.AddExample("linear_3_2");
  const std::string root = repository_.path();
  std::filesystem::create_directories(root + "/latin1/1");
  std::ofstream(root + "/latin1/config.pbtxt") << "# caf\xE9";
  std::filesystem::create_directories(root + "/caf\xE9");
  ASSERT_TRUE(Start());
  ASSERT_OK_AND_ASSIGN(const std::vector<client::ModelVersion> models, client_->ListModels());
  std::map<std::string, std::string> reasons;
  for (const client::ModelVersion& model : models) reasons[model.name] = model.reason;
  EXPECT_THAT(reasons["latin1"], HasSubstr("config.pbtxt: line 1 has the byte 0xE9"));
  EXPECT_TRUE(reasons.contains("caf\\xe9"));
  EXPECT_EQ(reasons["linear_3_2"], "");
}

// As Kubernetes updates a mounted volume: by renaming a new link over "..data".
TEST_F(LifecycleTest, ASwitchedDirectoryLinkIsARollout) {
  const std::string root = repository_.path();
  std::filesystem::create_directories(root + "/..blue/m/1");
  std::filesystem::create_directories(root + "/..green/m/2");
  const auto write = [](const std::string& path) {
    std::ofstream(path) << TempRepository::ExampleBytes("linear_3_2");
  };
  write(root + "/..blue/m/1/model.onnx");
  write(root + "/..green/m/2/model.onnx");
  std::filesystem::create_directory_symlink("..blue", root + "/..data");
  std::filesystem::create_directory_symlink("..data/m", root + "/m");
  ASSERT_TRUE(Start());
  ASSERT_OK_AND_ASSIGN(std::vector<client::ModelVersion> models, client_->ListModels());
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].version, 1);
  std::filesystem::create_directory_symlink("..green", root + "/..next");
  std::filesystem::rename(root + "/..next", root + "/..data");
  EXPECT_OK(client_->Reload(""));
  ASSERT_OK_AND_ASSIGN(models, client_->ListModels());
  ASSERT_EQ(models.size(), 1u);
  EXPECT_EQ(models[0].version, 2);
  EXPECT_OK(Predict("m", kRow));
}

TEST_F(LifecycleTest, MetricsShowAFailedVersionNextToAServingOne) {
  repository_.AddExample("linear_3_2");
  ASSERT_TRUE(Start());
  EXPECT_THAT(HttpGet(server_->http_address(), "/metrics").body,
              Not(HasSubstr("sigserve_model_load_failures_total{")));
  repository_.AddModel("linear_3_2", 2, "garbage");
  EXPECT_FALSE(client_->Reload("linear_3_2").ok());
  EXPECT_OK(Predict("linear_3_2", kRow));
  const std::string metrics = HttpGet(server_->http_address(), "/metrics").body;
  for (const char* line : {"sigserve_model_ready{model=\"linear_3_2\"} 1\n",
                           "sigserve_model_versions{model=\"linear_3_2\",state=\"ready\"} 1\n",
                           "sigserve_model_versions{model=\"linear_3_2\",state=\"failed\"} 1\n",
                           "sigserve_model_load_failures_total{model=\"linear_3_2\"} 1\n"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
}

TEST_F(LifecycleTest, MetricsCountTheCalls) {
  repository_.AddExample("linear_3_2");
  ASSERT_TRUE(Start());
  EXPECT_OK(Predict("linear_3_2", kRow));
  EXPECT_OK(Predict("linear_3_2", kRow));
  EXPECT_FALSE(Predict("linear_3_2", {1}).ok());
  EXPECT_FALSE(Predict("made_up_by_a_client", kRow).ok());
  const auto metrics = HttpGet(server_->http_address(), "/metrics");
  EXPECT_EQ(metrics.code, 200);
  EXPECT_THAT(metrics.body,
              HasSubstr("sigserve_requests_total{code=\"OK\",method=\"Predict\",model="
                        "\"linear_3_2\",version=\"1\"} 2"));
  EXPECT_THAT(metrics.body, HasSubstr("code=\"INVALID_ARGUMENT\",method=\"Predict\",model="
                                      "\"linear_3_2\""));
  EXPECT_THAT(metrics.body, HasSubstr("code=\"NOT_FOUND\",method=\"Predict\",model=\"\""));
  EXPECT_THAT(metrics.body, Not(HasSubstr("made_up_by_a_client")));
  EXPECT_THAT(metrics.body, HasSubstr("sigserve_rows_total{model=\"linear_3_2\",version=\"1\"} 2"));
  EXPECT_THAT(metrics.body, HasSubstr("sigserve_model_ready{model=\"linear_3_2\"} 1"));
}

// A start that fails says why and exits with 1.

TEST(StartErrors, SayWhatIsWrong) {
  TempRepository repository;
  const std::string root = "--repository=" + repository.path();
  repository.AddConfig("x", "not settings");
  const struct {
    std::vector<std::string> arguments;
    const char* message;
  } cases[] = {
      {{}, "repository is empty"},
      {{"--repository=/no/such/directory"}, "/no/such/directory"},
      {{root, "--grpc_address=localhost"}, "grpc_address is 'localhost'; expected HOST:PORT"},
      {{root, "--http_address=127.0.0.1:99999"}, "http_address is '127.0.0.1:99999'"},
      {{root, "--max_message_bytes=0"}, "--max_message_bytes is '0'"},
      {{root, "--drain_seconds=-1"},
       "--drain_seconds is '-1'; expected a whole number from 0 to 86400"},
      {{root, "--repositry=/m"}, "unknown flag '--repositry'; did you mean --repository?"},
      {{root, "stray"}, "unexpected argument 'stray'"},
      {{root, "--config=/no/such/file"}, "/no/such/file"},
      {{root, "--config=" + repository.path() + "/x/config.pbtxt"}, "config.pbtxt:1:"},
  };
  for (const auto& c : cases) {
    const testing_support::CommandResult result = RunSigserve(c.arguments);
    EXPECT_EQ(result.exit_code, 1) << c.message;
    EXPECT_THAT(result.err, HasSubstr(c.message));
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(LifecycleTest, ATakenPortIsAnErrorThatSaysSo) {
  ASSERT_TRUE(Start());
  const std::string root = "--repository=" + repository_.path();
  const auto grpc_taken = RunSigserve(
      {root, "--grpc_address=" + server_->grpc_address(), "--http_address=127.0.0.1:0"});
  EXPECT_EQ(grpc_taken.exit_code, 1);
  EXPECT_THAT(grpc_taken.err,
              AllOf(HasSubstr("cannot listen for gRPC on '" + server_->grpc_address() + "'"),
                    HasSubstr("Address already in use; another process listens there")));
  const auto http_taken = RunSigserve(
      {root, "--grpc_address=127.0.0.1:0", "--http_address=" + server_->http_address()});
  EXPECT_EQ(http_taken.exit_code, 1);
  EXPECT_THAT(http_taken.err,
              AllOf(HasSubstr("cannot listen for HTTP on '" + server_->http_address() + "'"),
                    HasSubstr("Address already in use; another process listens there")));
}

TEST(HelpAndVersion, GoToStandardOutput) {
  const auto help = RunSigserve({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("--repository=DIR"), HasSubstr("Example:")));
  const auto version = RunSigserve({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out, "sigserve " SIGSERVE_VERSION "\n");
  EXPECT_THAT(help.out, testing::StartsWith("sigserve " SIGSERVE_VERSION ": "));
}

TEST_F(LifecycleTest, EveryPlaceSaysTheSameVersion) {
  ASSERT_TRUE(Start());
  EXPECT_THAT(server_->announcement(), testing::StartsWith("sigserve " SIGSERVE_VERSION ": "));
  EXPECT_THAT(HttpGet(server_->http_address(), "/metrics").body,
              HasSubstr("version=\"" SIGSERVE_VERSION "\"} 1"));
}

}  // namespace
}  // namespace sigserve
