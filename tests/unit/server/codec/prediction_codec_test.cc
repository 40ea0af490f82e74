#include "server/codec/prediction_codec.h"

#include <cmath>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "tests/support/fake_servable.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::FakeServable;
using testing_support::FloatInput;
using testing_support::Output;
using testing_support::SigmoidSignature;

v1::PredictRequest Parse(const std::string& text) {
  v1::PredictRequest request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  return request;
}

absl::Status Decode(const std::string& text, const Signature& signature) {
  DecodedInputs inputs;
  return DecodePredictInputs(Parse(text), signature, &inputs);
}

/// Input i of dtype `dtype`, any rank.
Signature AnyRank(DType dtype) {
  Signature signature = SigmoidSignature();
  signature.inputs = {FloatInput("i", {})};
  signature.inputs[0].dtype = dtype;
  signature.inputs[0].any_rank = true;
  return signature;
}

TEST(DecodePredictInputsTest, ViewsPointIntoTheRequest) {
  const Signature signature = SigmoidSignature();
  v1::PredictRequest request = Parse("inputs { shape: [1, 3] float_values: [1, 2, 3] }");
  DecodedInputs inputs;
  ASSERT_OK(DecodePredictInputs(request, signature, &inputs));
  ASSERT_EQ(inputs.tensors.size(), 1U);
  EXPECT_EQ(inputs.tensors[0].tensor.data(), request.inputs(0).float_values().data());
  EXPECT_EQ(inputs.tensors[0].tensor.shape(), (Shape{1, 3}));

  request = Parse("matrix: '\\000\\000\\200?\\000\\000\\000@\\000\\000@@'");
  inputs = {};
  ASSERT_OK(DecodePredictInputs(request, signature, &inputs));
  EXPECT_EQ(inputs.tensors[0].tensor.data(), request.matrix().data());
  EXPECT_THAT(inputs.tensors[0].tensor.values<float>(), ElementsAre(1, 2, 3));

  request = Parse("inputs { name: 'x' shape: [1, 3] data: '012345678901' }");
  inputs = {};
  ASSERT_OK(DecodePredictInputs(request, signature, &inputs));
  EXPECT_EQ(inputs.tensors[0].tensor.data(), request.inputs(0).data().data());
}

TEST(DecodePredictInputsTest, IntegersKeepTheirWidthOrAreNarrowed) {
  const v1::PredictRequest request = Parse("inputs { shape: [2] int64_values: [-7, 8] }");
  DecodedInputs inputs;
  ASSERT_OK(DecodePredictInputs(request, AnyRank(DType::kInt64), &inputs));
  EXPECT_EQ(inputs.tensors[0].tensor.data(), request.inputs(0).int64_values().data());
  inputs = {};
  ASSERT_OK(DecodePredictInputs(request, AnyRank(DType::kInt32), &inputs));
  EXPECT_THAT(inputs.tensors[0].tensor.values<int32_t>(), ElementsAre(-7, 8));
}

TEST(DecodePredictInputsTest, ScalarsHaveRankZero) {
  DecodedInputs inputs;
  const v1::PredictRequest request = Parse("inputs { float_values: 1 }");
  ASSERT_OK(DecodePredictInputs(request, AnyRank(DType::kFloat32), &inputs));
  EXPECT_EQ(inputs.tensors[0].tensor.shape().rank(), 0);
}

TEST(DecodePredictInputsTest, BadInputsSayWhatWasSentAndWhatIsExpected) {
  const std::string many_dims = "inputs { name: 'x' data: '0123' " + [] {
    std::string dims;
    for (int i = 0; i < 33; ++i) dims += "shape: 1 ";
    return dims;
  }() + "}";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no rows: `inputs` and `matrix` are both empty"},
      {"matrix: '0123' inputs { name: 'x' }", "both `inputs` and `matrix`"},
      {"matrix: '0123456'", "matrix has 7 bytes, expected a multiple of 12 (rows of 3 FLOAT32"},
      {"inputs { name: 'x' shape: [1, 3] data: '0123456' }",
       "input byte size mismatch for input 'x': got 7 bytes, expected 12 (shape [1,3] FLOAT32)"},
      {"inputs { name: 'x' shape: [1, 3] float_values: [1, 2] }",
       "got 2 elements in float_values, expected 3 (shape [1,3])"},
      {"inputs { name: 'x' shape: [1, 3] data: '0123' float_values: 1 }", "contents twice"},
      {"inputs { name: 'x' shape: [1, 3] int64_values: 1 float_values: 1 }", "contents twice"},
      {"inputs { name: 'x' shape: [1, 3] }", "'x' has no contents"},
      {"inputs { name: 'x' shape: [-1, 3] data: '0123' }", "[-1,3] has a negative size"},
      {"inputs { name: 'x' shape: [4294967296, 4294967296] data: '0' }", "larger than any memory"},
      {"inputs { name: 'x' shape: [2147483648, 3] data: '0' }",
       "got 1 bytes, expected 25769803776"},
      {"inputs { name: 'x' shape: [0, 3] }", "'x' is empty: its shape [0,3]"},
      {"inputs { name: 'x' shape: [9223372036854775807, 0] }", "larger than any memory"},
      {"inputs { name: 'x' dtype: DATA_TYPE_FLOAT64 shape: [1, 3] float_values: [1, 2, 3] }",
       "'x' is FLOAT64, but float_values are FLOAT32"},
      {"inputs { name: 'x' shape: [1, 3] int64_values: [1, 2, 3] }",
       "'x' is FLOAT32, but int64_values are INT64 or INT32"},
      {"inputs { name: 'z' shape: [1, 3] float_values: [1, 2, 3] }",
       "the model has no input 'z'; its inputs are: x"},
      {"inputs { name: 'x' } inputs { name: 'x' }", "got 2 inputs, expected 1"},
      {"inputs { name: 'x' dtype: 77 shape: [1] data: '0' }", "dtype 77 is no DataType"},
      {many_dims, "33 dimensions, the limit is 32"}};
  for (const auto& [request, message] : cases) {
    EXPECT_THAT(Decode(request, SigmoidSignature()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)))
        << request;
  }
  EXPECT_THAT(Decode("inputs { shape: 1 int64_values: 2147483648 }", AnyRank(DType::kInt32)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("out of INT32's range")));
  EXPECT_THAT(Decode("inputs { shape: 1 data: '\\002' }", AnyRank(DType::kBool)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("byte 0 is 2, a BOOL")));
  EXPECT_THAT(Decode("matrix: '0123'", AnyRank(DType::kFloat32)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("FLOAT32 of any shape")));
  Signature two = SigmoidSignature();
  two.inputs.push_back(FloatInput("b", {-1, 3}));
  EXPECT_THAT(Decode("matrix: '0123'", two),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model with one input")));
}

TEST(DecodeModelSpecTest, NeedsANameAndARealVersion) {
  EXPECT_THAT(DecodeModelSpec(Parse("model { version: 1 }").model()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model.name")));
  EXPECT_THAT(DecodeModelSpec(Parse("model { name: 'm' version: 0 }").model()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("model.version is 0")));
  const v1::ModelSpec spec = Parse("model { name: 'm' label: 'stable' }").model();
  ASSERT_OK_AND_ASSIGN(const ModelQuery query, DecodeModelSpec(spec));
  EXPECT_EQ(std::string(query.label), "stable");
  EXPECT_FALSE(query.version.has_value());
}

/// A sigmoid y, a raw score s, a class id c, and probabilities p without logits.
Signature FourOutputs() {
  Signature signature = SigmoidSignature();
  signature.outputs = {Output("y", Link::kSigmoid), Output("s", Link::kNone),
                       Output("c", Link::kNone, DType::kInt64), Output("p", Link::kOther)};
  return signature;
}

TEST(PlanOutputsTest, WhatAnOutputLacksIsSaid) {
  const Signature signature = FourOutputs();
  struct Case {
    const char* request;
    absl::StatusCode code;
    const char* message;
  };
  constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  for (const auto& [request, code, message] : std::vector<Case>{
           {"outputs: 'q'", kInvalid, "no output 'q'; its outputs are: y, s, c, p"},
           {"outputs: ['y', 'y']", kInvalid, "output 'y' is asked for twice"},
           {"outputs: 's' return_logits: true", kPrecondition,
            "MODEL_NOT_CLASSIFIER: logits asked of output 's', which holds raw values"},
           {"outputs: ['y', 's'] return_decisions: true", kPrecondition,
            "MODEL_NOT_CLASSIFIER: decisions asked of output 's'"},
           {"outputs: 'c' return_decisions: true", kPrecondition, "which holds integers"},
           {"outputs: 'p' return_log_probabilities: true", kPrecondition,
            "log-probabilities asked of output 'p', which holds probabilities that come from "
            "no"}}) {
    EXPECT_THAT(PlanOutputs(Parse(request), signature), StatusIs(code, HasSubstr(message)))
        << request;
  }
  Signature raw = signature;
  raw.outputs = {Output("s", Link::kNone)};
  EXPECT_THAT(PlanOutputs(Parse("return_decisions: true"), raw),
              StatusIs(kPrecondition, HasSubstr("MODEL_NOT_CLASSIFIER")));
}

TEST(PlanOutputsTest, WithNoNamesEachGivesWhatItHas) {
  ASSERT_OK_AND_ASSIGN(
      const auto plan,
      PlanOutputs(Parse("return_logits: true return_decisions: true"), FourOutputs()));
  ASSERT_EQ(plan.size(), 4U);
  EXPECT_TRUE(plan[0].logits && plan[0].decisions && !plan[0].log_probabilities);
  EXPECT_FALSE(plan[1].logits || plan[1].decisions);
  EXPECT_FALSE(plan[2].logits || plan[2].decisions);
  EXPECT_TRUE(!plan[3].logits && plan[3].decisions);
}

TEST(PlanOutputsTest, KeepsTheOrderAskedFor) {
  ASSERT_OK_AND_ASSIGN(const auto plan, PlanOutputs(Parse("outputs: ['c', 'y']"), FourOutputs()));
  ASSERT_EQ(plan.size(), 2U);
  EXPECT_EQ(plan[0].index, 2);
  EXPECT_EQ(plan[1].index, 0);
}

TEST(EncodePredictResponseTest, EverythingThatCanBeAskedFor) {
  Signature signature = SigmoidSignature();
  signature.outputs.push_back(Output("c", Link::kNone, DType::kInt64));
  FakeServable servable(signature);
  servable.label_names = {"a", "b"};
  servable.threshold_values = {0.8F, 0.1F};
  servable.outputs.outputs.push_back(Tensor::Of<float>({2, 2}, {0.8F, 0.05F, 0.79F, 0.1F}));
  servable.outputs.outputs.push_back(Tensor::Of<int64_t>({2}, {0, 1}));
  servable.outputs.logit_tensors.push_back(Tensor::Of<float>({2, 2}, {0, -200, 1, 2}));
  const v1::PredictRequest request = Parse(
      "return_logits: true return_log_probabilities: true return_decisions: true "
      "return_timing: true return_labels: true");
  ASSERT_OK_AND_ASSIGN(const auto plan, PlanOutputs(request, signature));
  TaskTiming timing;
  timing.queued = absl::Nanoseconds(1500);
  timing.computed = absl::Microseconds(2);
  timing.batch_rows = 9;
  v1::PredictResponse response;
  EncodePredictResponse(request, servable, plan, servable.outputs, timing, &response);

  EXPECT_EQ(response.model_name(), "m");
  EXPECT_EQ(response.model_version(), 3);
  ASSERT_EQ(response.outputs_size(), 2);
  const v1::PredictOutput& y = response.outputs(0);
  EXPECT_EQ(y.name(), "y");
  EXPECT_TRUE(y.is_probability());
  EXPECT_THAT(y.shape(), ElementsAre(2, 2));
  EXPECT_THAT(y.probabilities(), ElementsAre(0.8F, 0.05F, 0.79F, 0.1F));
  EXPECT_THAT(y.decisions(), ElementsAre(true, false, false, true));
  EXPECT_THAT(y.logits(), ElementsAre(0, -200, 1, 2));
  EXPECT_THAT(y.log_probabilities(), ElementsAre(testing::FloatNear(-0.6931472F, 1e-6F), -200,
                                                 testing::FloatNear(-0.3132617F, 1e-6F),
                                                 testing::FloatNear(-0.1269280F, 1e-6F)));
  EXPECT_THAT(y.labels(), ElementsAre("a", "b"));
  const v1::PredictOutput& c = response.outputs(1);
  EXPECT_FALSE(c.is_probability());
  EXPECT_TRUE(c.probabilities().empty() && c.decisions().empty() && c.logits().empty());
  EXPECT_THAT(c.int64_values(), ElementsAre(0, 1));
  EXPECT_DOUBLE_EQ(response.timing().queued_us(), 1.5);
  EXPECT_DOUBLE_EQ(response.timing().computed_us(), 2);
  EXPECT_EQ(response.timing().batch_rows(), 9);
}

TEST(EncodePredictResponse, LabelsOnRequestOnly) {
  FakeServable servable(SigmoidSignature());
  servable.label_names = {"a", "b"};
  servable.outputs.outputs.push_back(Tensor::Of<float>({1, 2}, {0.8F, 0.05F}));
  for (const bool wanted : {false, true}) {
    v1::PredictRequest request;
    request.set_return_labels(wanted);
    ASSERT_OK_AND_ASSIGN(const auto plan, PlanOutputs(request, servable.signature()));
    v1::PredictResponse response;
    EncodePredictResponse(request, servable, plan, servable.outputs, TaskTiming(), &response);
    EXPECT_EQ(response.outputs(0).labels_size(), wanted ? 2 : 0);
  }
}

TEST(EncodePredictResponseTest, SoftmaxLogProbabilitiesRunAlongTheLastDimension) {
  Signature signature = SigmoidSignature();
  signature.outputs = {Output("y", Link::kSoftmax)};
  FakeServable servable(signature);
  servable.outputs.outputs.push_back(Tensor::Of<float>({1, 2}, {1, 0}));
  servable.outputs.logit_tensors.push_back(Tensor::Of<float>({1, 2}, {0, -300}));
  v1::PredictResponse response;
  const v1::PredictRequest request = Parse("return_log_probabilities: true");
  ASSERT_OK_AND_ASSIGN(const auto plan, PlanOutputs(request, signature));
  EncodePredictResponse(request, servable, plan, servable.outputs, {}, &response);
  EXPECT_THAT(response.outputs(0).log_probabilities(), ElementsAre(0, -300));
  EXPECT_TRUE(response.outputs(0).logits().empty());
  EXPECT_FALSE(response.has_timing());
}

}  // namespace
}  // namespace sigserve
