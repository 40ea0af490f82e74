#include "server/codec/inference_codec.h"

#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "server/codec/model_codec.h"
#include "tests/support/fake_servable.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using inference::ModelInferRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::FakeServable;
using testing_support::FloatInput;
using testing_support::Output;
using testing_support::SigmoidSignature;

ModelInferRequest Parse(const std::string& text) {
  ModelInferRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  return request;
}

constexpr char kInput[] = "name: 'x' datatype: 'FP32' shape: [1, 3] ";

std::string One(const std::string& rest, const std::string& outside = "") {
  return std::string("inputs { ") + kInput + rest + " } " + outside;
}

TEST(DecodeInferInputsTest, RawAndTypedContentsAreViews) {
  ModelInferRequest request = Parse(One("", "raw_input_contents: '012345678901'"));
  DecodedInputs inputs;
  ASSERT_OK(DecodeInferInputs(request, SigmoidSignature(), &inputs));
  EXPECT_EQ(inputs.tensors[0].tensor.data(), request.raw_input_contents(0).data());

  request = Parse(One("contents { fp32_contents: [1, 2, 3] }"));
  inputs = {};
  ASSERT_OK(DecodeInferInputs(request, SigmoidSignature(), &inputs));
  EXPECT_EQ(inputs.tensors[0].tensor.data(), request.inputs(0).contents().fp32_contents().data());
  EXPECT_EQ(inputs.tensors[0].tensor.shape(), (Shape{1, 3}));
}

TEST(DecodeInferInputsTest, EveryDatatypeThatModelsTake) {
  struct Case {
    const char* datatype;
    const char* contents;
    DType dtype;
  };
  for (const auto& [datatype, contents, dtype] :
       std::vector<Case>{{"FP32", "fp32_contents: 1", DType::kFloat32},
                         {"FP64", "fp64_contents: 1", DType::kFloat64},
                         {"INT32", "int_contents: 1", DType::kInt32},
                         {"INT64", "int64_contents: 1", DType::kInt64},
                         {"BOOL", "bool_contents: true", DType::kBool}}) {
    DecodedInputs inputs;
    const ModelInferRequest request = Parse(absl::StrCat(
        "inputs { name: 'x' datatype: '", datatype, "' shape: 1 contents { ", contents, " } }"));
    EXPECT_OK(DecodeInferInputs(request, SigmoidSignature(), &inputs)) << datatype;
    EXPECT_EQ(inputs.tensors[0].tensor.dtype(), dtype) << datatype;
    EXPECT_EQ(OipDatatype(dtype), datatype);
  }
}

TEST(DecodeInferInputsTest, BadInputsSayWhatWasSentAndWhatIsExpected) {
  struct Case {
    std::string request;
    const char* message;
    absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  };
  const std::vector<Case> cases = {
      {"", "no inputs"},
      {One("contents { fp32_contents: 1 }", "raw_input_contents: '0'"),
       "contents field must not be specified when using raw_input_contents: input 'x' has both"},
      {One("", "raw_input_contents: '0' raw_input_contents: '1'"),
       "got 2 raw_input_contents, expected one for each of the 1 inputs"},
      {One("", "raw_input_contents: '0123456'"),
       "input byte size mismatch for input 'x': got 7 bytes, expected 12 (shape [1,3] FP32)"},
      {One("contents { fp32_contents: [1, 2] }"),
       "got 2 elements in fp32_contents, expected 3 (shape [1,3])"},
      {One("contents { fp64_contents: [1, 2, 3] }"),
       "'x' is FP32 but fills fp64_contents, expected fp32_contents"},
      {One("contents { bytes_contents: '0' }"), "fills bytes_contents, expected fp32_contents"},
      {One(""), "got 0 elements in fp32_contents, expected 3"},
      {"inputs { name: 'x' datatype: 'FP16' shape: 1 } raw_input_contents: '01'",
       "'x' has datatype 'FP16', expected FP32"},
      {"inputs { name: 'x' datatype: 'FLOAT32' shape: 1 }", "expected FP32"},
      {"inputs { name: 'x' datatype: 'FP32' shape: [-1, 3] }", "negative size"},
      {"inputs { name: 'x' datatype: 'FP32' shape: [0, 3] }", "holds no elements"},
      {"inputs { name: 'x' } inputs { name: 'x' }", "expected 1 inputs but got 2 inputs"},
      {One("parameters { key: 'shared_memory_region' value { string_param: 'r' } }"),
       "'x' is in shared memory", absl::StatusCode::kUnimplemented}};
  for (const auto& [request, message, code] : cases) {
    DecodedInputs inputs;
    EXPECT_THAT(DecodeInferInputs(Parse(request), SigmoidSignature(), &inputs),
                StatusIs(code, HasSubstr(message)))
        << request;
  }
}

TEST(DecodeInferOutputsTest, SubsetInOrderAndRefusals) {
  Signature signature = SigmoidSignature();
  signature.outputs.push_back(Output("s", Link::kNone));
  ASSERT_OK_AND_ASSIGN(
      const auto selected,
      DecodeInferOutputs(Parse("outputs { name: 's' } outputs { name: 'y' }"), signature));
  EXPECT_THAT(selected, ElementsAre(1, 0));
  EXPECT_THAT(DecodeInferOutputs(Parse("outputs { name: 'q' }"), signature),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("outputs are: y, s")));
  EXPECT_THAT(DecodeInferOutputs(Parse("outputs { name: 'y' parameters { key: 'classification' "
                                       "value { int64_param: 1 } } }"),
                                 signature),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("classification")));
}

TEST(DecodeInferParametersTest, OursAreTypedAndOthersAreIgnored) {
  ASSERT_OK_AND_ASSIGN(const InferParameters parameters,
                       DecodeInferParameters(Parse(
                           "parameters { key: 'timeout' value { int64_param: 250 } } "
                           "parameters { key: 'binary_data_output' value { bool_param: false } } "
                           "parameters { key: 'sigserve_timing' value { bool_param: true } } "
                           "parameters { key: 'priority' value { uint64_param: 3 } } "
                           "parameters { key: 'sequence' value { string_param: 'whatever' } }")));
  EXPECT_EQ(parameters.timeout, absl::Microseconds(250));
  EXPECT_TRUE(parameters.typed_output);
  EXPECT_TRUE(parameters.timing);
  EXPECT_EQ(parameters.priority, 3);
  for (const char* bad : {"parameters { key: 'timeout' value { string_param: '1' } }",
                          "parameters { key: 'timeout' value { int64_param: -1 } }",
                          "parameters { key: 'priority' value { string_param: 'high' } }",
                          "parameters { key: 'sigserve_timing' value { int64_param: 1 } }"}) {
    EXPECT_THAT(DecodeInferParameters(Parse(bad)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("parameter '")))
        << bad;
  }
}

class EncodeInferResponseTest : public testing::Test {
 protected:
  EncodeInferResponseTest() : servable_(SigmoidSignature()) {
    servable_.outputs.outputs.push_back(Tensor::Of<float>({1, 2}, {0.25F, 0.75F}));
  }
  inference::ModelInferResponse Encode(const InferParameters& parameters) {
    TaskTiming timing;
    timing.computed = absl::Microseconds(2);
    timing.batch_rows = 1;
    inference::ModelInferResponse response;
    EncodeInferResponse(Parse("id: 'seven'"), parameters, servable_, {0}, servable_.outputs, timing,
                        &response);
    return response;
  }
  FakeServable servable_;
};

TEST_F(EncodeInferResponseTest, RawByDefault) {
  const auto response = Encode({});
  EXPECT_EQ(response.id(), "seven");
  EXPECT_EQ(response.model_name(), "m");
  EXPECT_EQ(response.model_version(), "3");
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "y");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(1, 2));
  EXPECT_FALSE(response.outputs(0).has_contents());
  ASSERT_EQ(response.raw_output_contents_size(), 1);
  EXPECT_EQ(response.raw_output_contents(0), std::string("\0\0\x80\x3E\0\0\x40\x3F", 8));
  EXPECT_TRUE(response.parameters().empty());
}

TEST_F(EncodeInferResponseTest, TypedAndTimedOnRequest) {
  InferParameters parameters;
  parameters.typed_output = true;
  parameters.timing = true;
  const auto response = Encode(parameters);
  EXPECT_EQ(response.raw_output_contents_size(), 0);
  EXPECT_THAT(response.outputs(0).contents().fp32_contents(), ElementsAre(0.25F, 0.75F));
  EXPECT_DOUBLE_EQ(response.parameters().at("compute_us").double_param(), 2);
  EXPECT_EQ(response.parameters().at("batch_rows").int64_param(), 1);
}

TEST(ModelCodecTest, VersionsAreNumbersOrLabels) {
  ASSERT_OK_AND_ASSIGN(ModelQuery query, DecodeQuery("m", "12"));
  EXPECT_EQ(query.version, 12);
  ASSERT_OK_AND_ASSIGN(query, DecodeQuery("m", "stable"));
  EXPECT_EQ(std::string(query.label), "stable");
  ASSERT_OK_AND_ASSIGN(query, DecodeQuery("m", ""));
  EXPECT_FALSE(query.version.has_value());
  EXPECT_TRUE(query.label.empty());
  for (const char* bad : {"0", "-1"}) {
    EXPECT_THAT(DecodeQuery("m", bad), StatusIs(absl::StatusCode::kInvalidArgument,
                                                HasSubstr("integer value greater than zero")));
  }
  EXPECT_THAT(DecodeQuery("", "1"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name")));
}

TEST(ModelCodecTest, ConfigLeavesTheBatchOutAndMetadataKeepsIt) {
  FakeServable servable(SigmoidSignature());
  servable.label_names = {"a", "b"};
  inference::ModelConfig config;
  EncodeConfig(servable, &config);
  EXPECT_EQ(config.max_batch_size(), 16);
  EXPECT_EQ(config.default_model_filename(), "net.onnx");
  EXPECT_EQ(config.platform(), "onnxruntime_onnx");
  EXPECT_THAT(config.input(0).dims(), ElementsAre(3));
  EXPECT_THAT(config.output(0).dims(), ElementsAre(2));
  EXPECT_EQ(config.input(0).data_type(), inference::TYPE_FP32);
  EXPECT_THAT(config.sigserve().output(0).labels(), ElementsAre("a", "b"));

  inference::ModelMetadataResponse metadata;
  EncodeMetadata(servable, &metadata);
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, 3));
  EXPECT_EQ(metadata.inputs(0).datatype(), "FP32");
  EXPECT_EQ(metadata.platform(), config.platform());

  v1::GetModelResponse model;
  EncodeModel(servable, &model);
  EXPECT_TRUE(model.batchable());
  EXPECT_EQ(model.max_batch_size(), 16);
  EXPECT_THAT(model.inputs(0).shape(), ElementsAre(-1, 3));
  EXPECT_THAT(model.outputs(0).thresholds(), ElementsAre(0.5F));
  EXPECT_TRUE(model.outputs(0).is_probability());
}

TEST(ModelCodecTest, AModelWithoutABatchKeepsAllDimensions) {
  Signature signature = SigmoidSignature();
  signature.batchable = false;
  signature.inputs[0].any_rank = true;
  inference::ModelConfig config;
  EncodeConfig(FakeServable(signature), &config);
  EXPECT_EQ(config.max_batch_size(), 0);
  EXPECT_THAT(config.input(0).dims(), ElementsAre(-1));
  EXPECT_THAT(config.output(0).dims(), ElementsAre(-1, 2));
}

TEST(ModelCodecTest, AModelWithoutVersionsHasNoVersionInTheIndex) {
  inference::RepositoryIndexResponse::ModelIndex index;
  EncodeIndex({.model = "m", .version = 0, .state = VersionState::kFailed, .reason = "none"},
              &index);
  EXPECT_EQ(index.version(), "");
  EXPECT_EQ(index.state(), "UNAVAILABLE");
  EXPECT_EQ(index.reason(), "none");
}

}  // namespace
}  // namespace sigserve
