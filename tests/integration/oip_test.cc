// The Open Inference Protocol on a real server: every RPC, raw and typed contents, and the fields
// that Triton's and KServe's clients use.
#include <grpcpp/grpcpp.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "inference/grpc_service.grpc.pb.h"
#include "tests/integration/server_fixture.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::ServerProcess;
using testing_support::TempRepository;

const std::vector<float> kRow = {0.5F, -0.2F, 3.0F};

class OipTest : public testing::Test {
 protected:
  void SetUp() override {
    repository_.AddExample("linear_3_2");
    server_ = ServerProcess::Start(repository_.path());
    ASSERT_NE(server_, nullptr);
    stub_ = GRPCInferenceService::NewStub(
        grpc::CreateChannel(server_->grpc_address(), grpc::InsecureChannelCredentials()));
  }
  void TearDown() override {
    // A C++ client without a call reacts to GOAWAY only every 5 s.
    stub_.reset();
    if (server_ != nullptr) {
      EXPECT_EQ(server_->Stop(), 0) << server_->log();
    }
  }

  template <typename Request, typename Response>
  using Method = grpc::Status (GRPCInferenceService::Stub::*)(grpc::ClientContext*, const Request&,
                                                              Response*);
  template <typename Request, typename Response>
  grpc::Status Call(Method<Request, Response> method, const Request& request, Response* response) {
    grpc::ClientContext context;
    return (stub_.get()->*method)(&context, request, response);
  }
  grpc::Status Infer(const ModelInferRequest& request, ModelInferResponse* response) {
    return Call(&GRPCInferenceService::Stub::ModelInfer, request, response);
  }

  static ModelInferRequest MakeRequest(bool raw) {
    ModelInferRequest request;
    request.set_model_name("linear_3_2");
    request.set_id("a1");
    auto* x = request.add_inputs();
    x->set_name("x");
    x->set_datatype("FP32");
    x->add_shape(1);
    x->add_shape(3);
    if (raw) {
      request.add_raw_input_contents(kRow.data(), kRow.size() * sizeof(float));
    } else {
      x->mutable_contents()->mutable_fp32_contents()->Add(kRow.begin(), kRow.end());
    }
    return request;
  }

  TempRepository repository_;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<GRPCInferenceService::Stub> stub_;
};

TEST_F(OipTest, RawAndTypedContentsGetTheSameAnswer) {
  ModelInferResponse raw, typed;
  ASSERT_TRUE(Infer(MakeRequest(true), &raw).ok());
  ASSERT_TRUE(Infer(MakeRequest(false), &typed).ok());
  EXPECT_EQ(raw.id(), "a1");
  EXPECT_EQ(raw.model_name(), "linear_3_2");
  EXPECT_EQ(raw.model_version(), "1");
  ASSERT_EQ(raw.outputs_size(), 1);
  EXPECT_EQ(raw.outputs(0).datatype(), "FP32");
  EXPECT_THAT(raw.outputs(0).shape(), ElementsAre(1, 2));
  ASSERT_EQ(raw.raw_output_contents_size(), 1);
  ASSERT_EQ(raw.raw_output_contents(0).size(), 8U);
  EXPECT_EQ(raw.raw_output_contents(0), typed.raw_output_contents(0));

  ModelInferRequest request = MakeRequest(true);
  (*request.mutable_parameters())["binary_data_output"].set_bool_param(false);
  (*request.mutable_parameters())["sigserve_timing"].set_bool_param(true);
  ModelInferResponse response;
  ASSERT_TRUE(Infer(request, &response).ok());
  EXPECT_EQ(response.raw_output_contents_size(), 0);
  ASSERT_EQ(response.outputs(0).contents().fp32_contents_size(), 2);
  EXPECT_EQ(std::memcmp(response.outputs(0).contents().fp32_contents().data(),
                        raw.raw_output_contents(0).data(), 8),
            0);
  EXPECT_EQ(response.parameters().at("batch_rows").int64_param(), 1);
}

TEST_F(OipTest, BadRequests) {
  struct Case {
    const char* what;
    void (*spoil)(ModelInferRequest*);
    grpc::StatusCode code;
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {"unknown model", [](ModelInferRequest* r) { r->set_model_name("X"); },
            grpc::StatusCode::NOT_FOUND, "X"},
           {"unknown version", [](ModelInferRequest* r) { r->set_model_version("9"); },
            grpc::StatusCode::NOT_FOUND, "9"},
           {"bad version", [](ModelInferRequest* r) { r->set_model_version("-1"); },
            grpc::StatusCode::INVALID_ARGUMENT, "version"},
           {"both contents",
            [](ModelInferRequest* r) {
              r->mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
            },
            grpc::StatusCode::INVALID_ARGUMENT, "contents field must not be specified"},
           {"width", [](ModelInferRequest* r) { r->mutable_inputs(0)->set_shape(1, 2); },
            grpc::StatusCode::INVALID_ARGUMENT, "byte size mismatch"},
           {"name", [](ModelInferRequest* r) { r->mutable_inputs(0)->set_name("z"); },
            grpc::StatusCode::INVALID_ARGUMENT, "unexpected inference input 'z'"},
           {"output", [](ModelInferRequest* r) { r->add_outputs()->set_name("q"); },
            grpc::StatusCode::INVALID_ARGUMENT, "'q'"}}) {
    ModelInferRequest request = MakeRequest(true);
    c.spoil(&request);
    ModelInferResponse response;
    const grpc::Status status = Infer(request, &response);
    EXPECT_EQ(status.error_code(), c.code) << c.what << ": " << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(c.message)) << c.what;
  }
}

TEST_F(OipTest, LivenessReadinessMetadataAndConfig) {
  using Stub = GRPCInferenceService::Stub;
  inference::ServerLiveResponse live;
  EXPECT_TRUE(Call(&Stub::ServerLive, {}, &live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerReadyResponse ready;
  EXPECT_TRUE(Call(&Stub::ServerReady, {}, &ready).ok());
  EXPECT_TRUE(ready.ready());
  inference::ServerMetadataResponse server;
  EXPECT_TRUE(Call(&Stub::ServerMetadata, {}, &server).ok());
  EXPECT_FALSE(server.name().empty() || server.version().empty());

  inference::ModelReadyRequest model_ready;
  model_ready.set_name("linear_3_2");
  inference::ModelReadyResponse is_ready;
  EXPECT_TRUE(Call(&Stub::ModelReady, model_ready, &is_ready).ok());
  EXPECT_TRUE(is_ready.ready());
  model_ready.set_name("no_such_model");
  EXPECT_TRUE(Call(&Stub::ModelReady, model_ready, &is_ready).ok());
  EXPECT_FALSE(is_ready.ready());

  inference::ModelMetadataRequest of;
  of.set_name("linear_3_2");
  inference::ModelMetadataResponse metadata;
  EXPECT_TRUE(Call(&Stub::ModelMetadata, of, &metadata).ok());
  EXPECT_THAT(metadata.versions(), ElementsAre("1"));
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, 3));
  of.set_name("no_such_model");
  EXPECT_EQ(Call(&Stub::ModelMetadata, of, &metadata).error_code(), grpc::StatusCode::NOT_FOUND);

  inference::ModelConfigRequest config_of;
  config_of.set_name("linear_3_2");
  inference::ModelConfigResponse config;
  EXPECT_TRUE(Call(&Stub::ModelConfig, config_of, &config).ok());
  EXPECT_GT(config.config().max_batch_size(), 0);
  EXPECT_THAT(config.config().input(0).dims(), ElementsAre(3));
}

TEST_F(OipTest, StatisticsCountRequests) {
  ModelInferResponse response;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Infer(MakeRequest(true), &response).ok());
  ModelInferRequest bad = MakeRequest(true);
  bad.clear_raw_input_contents();
  ASSERT_FALSE(Infer(bad, &response).ok());
  inference::ModelStatisticsRequest of;
  of.set_name("linear_3_2");
  inference::ModelStatisticsResponse statistics;
  ASSERT_TRUE(Call(&GRPCInferenceService::Stub::ModelStatistics, of, &statistics).ok());
  ASSERT_EQ(statistics.model_stats_size(), 1);
  const inference::ModelStatistics& model = statistics.model_stats(0);
  EXPECT_EQ(model.version(), "1");
  EXPECT_EQ(model.inference_count(), 3U);
  EXPECT_EQ(model.execution_count(), 3U);
  EXPECT_EQ(model.inference_stats().success().count(), 3U);
  EXPECT_GT(model.inference_stats().success().ns(), 0U);
  EXPECT_EQ(model.inference_stats().fail().count(), 1U);
  EXPECT_GT(model.last_inference(), 0U);
}

TEST_F(OipTest, RepositoryCallsOfTritonsAndKservesClients) {
  using Stub = GRPCInferenceService::Stub;
  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(Call(&Stub::RepositoryIndex, {}, &index).ok());
  ASSERT_EQ(index.models_size(), 1);
  EXPECT_EQ(index.models(0).state(), "READY");

  inference::RepositoryModelUnloadRequest unload;
  unload.set_repository_name("linear_3_2");  // KServe's field
  inference::RepositoryModelUnloadResponse unloaded;
  ASSERT_TRUE(Call(&Stub::RepositoryModelUnload, unload, &unloaded).ok());
  EXPECT_EQ(unloaded.model_name(), "linear_3_2");
  EXPECT_TRUE(unloaded.is_unloaded());
  ModelInferResponse response;
  EXPECT_FALSE(Infer(MakeRequest(true), &response).ok());

  inference::RepositoryModelLoadRequest load;
  load.set_model_name("linear_3_2");  // Triton's field
  inference::RepositoryModelLoadResponse loaded;
  ASSERT_TRUE(Call(&Stub::RepositoryModelLoad, load, &loaded).ok());
  EXPECT_TRUE(loaded.is_loaded());
  EXPECT_TRUE(Infer(MakeRequest(true), &response).ok());

  load.set_model_name("no_such_model");
  const grpc::Status missing = Call(&Stub::RepositoryModelLoad, load, &loaded);
  EXPECT_EQ(missing.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(missing.error_message(), HasSubstr("failed to load 'no_such_model'"));
  (*load.mutable_parameters())["config"].set_string_param("{}");
  EXPECT_EQ(Call(&Stub::RepositoryModelLoad, load, &loaded).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(OipTest, CallsThatClientsMakeOnStartup) {
  using Stub = GRPCInferenceService::Stub;
  inference::SystemSharedMemoryStatusResponse system_status;
  EXPECT_TRUE(Call(&Stub::SystemSharedMemoryStatus, {}, &system_status).ok());
  inference::SystemSharedMemoryUnregisterResponse system_done;
  EXPECT_TRUE(Call(&Stub::SystemSharedMemoryUnregister, {}, &system_done).ok());
  inference::CudaSharedMemoryUnregisterResponse cuda_done;
  EXPECT_TRUE(Call(&Stub::CudaSharedMemoryUnregister, {}, &cuda_done).ok());
  inference::SystemSharedMemoryRegisterResponse registered;
  EXPECT_EQ(Call(&Stub::SystemSharedMemoryRegister, {}, &registered).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  inference::TraceSettingResponse trace;
  EXPECT_TRUE(Call(&Stub::TraceSetting, {}, &trace).ok());
  EXPECT_THAT(trace.settings().at("trace_level").value(), ElementsAre("OFF"));
  inference::LogSettingsResponse log;
  EXPECT_TRUE(Call(&Stub::LogSettings, {}, &log).ok());
  EXPECT_TRUE(log.settings().at("log_info").bool_param());
}

// Tools set the values that they rely on; an unsupported one is refused, never ignored.
TEST_F(OipTest, SettingsAcceptOnlyTheirCurrentValues) {
  using Stub = inference::GRPCInferenceService::Stub;
  inference::TraceSettingRequest trace;
  inference::TraceSettingResponse trace_now;
  (*trace.mutable_settings())["trace_level"].add_value("OFF");
  EXPECT_TRUE(Call(&Stub::TraceSetting, trace, &trace_now).ok());
  EXPECT_THAT(trace_now.settings().at("trace_level").value(), ElementsAre("OFF"));
  (*trace.mutable_settings())["trace_level"].clear_value();  // Triton's "back to the default"
  EXPECT_TRUE(Call(&Stub::TraceSetting, trace, &trace_now).ok());
  (*trace.mutable_settings())["trace_level"].add_value("TIMESTAMPS");
  grpc::Status status = Call(&Stub::TraceSetting, trace, &trace_now);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("'trace_level'"));

  inference::LogSettingsRequest log;
  inference::LogSettingsResponse log_now;
  EXPECT_TRUE(Call(&Stub::LogSettings, log, &log_now).ok());
  // The settings as the server reports them are accepted.
  ASSERT_TRUE(log.ParseFromString(log_now.SerializeAsString()));
  EXPECT_GE(log.settings_size(), 6);
  EXPECT_TRUE(Call(&Stub::LogSettings, log, &log_now).ok());
  (*log.mutable_settings())["log_verbose_level"].set_uint32_param(1);
  status = Call(&Stub::LogSettings, log, &log_now);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("'log_verbose_level'"));
  log.clear_settings();
  (*log.mutable_settings())["log_colour"].set_bool_param(true);
  EXPECT_EQ(Call(&Stub::LogSettings, log, &log_now).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace sigserve
