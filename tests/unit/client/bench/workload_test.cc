// Requests ready to send, and the answers of streams.
#include "client/bench/workload.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include "inference/grpc_service.pb.h"
#include "sigserve/v1/prediction.pb.h"
#include "tests/support/status_matchers.h"

namespace sigserve::bench {
namespace {

using client::DataType;
using ::testing::ElementsAre;

WeightedModel Model(const std::string& name, double weight = 1) {
  client::ModelInfo info{.name = name};
  info.inputs = {{.name = "x", .dtype = DataType::kFloat32, .shape = {-1, 3}}};
  return {.info = info, .weight = weight};
}

TEST(WorkloadTest, PredictRequests) {
  ASSERT_OK_AND_ASSIGN(const Workload workload, MakeWorkload({Model("m")}, {.rows = 4}));
  EXPECT_EQ(workload.path, "/sigserve.v1.PredictionService/Predict");
  EXPECT_EQ(workload.rows, 4);
  std::set<std::string> data;
  for (const std::string& message : workload.messages) {
    v1::PredictRequest request;
    ASSERT_TRUE(request.ParseFromString(message));
    EXPECT_EQ(request.model().name(), "m");
    ASSERT_EQ(request.inputs_size(), 1);
    EXPECT_EQ(request.inputs(0).name(), "x");
    EXPECT_EQ(request.inputs(0).dtype(), v1::DATA_TYPE_FLOAT32);
    EXPECT_THAT(request.inputs(0).shape(), ElementsAre(4, 3));
    EXPECT_EQ(request.inputs(0).data().size(), 4U * 3 * 4);
    data.insert(request.inputs(0).data());
  }
  EXPECT_EQ(data.size(), workload.messages.size());
}

TEST(WorkloadTest, InferRequestsOfEveryType) {
  struct Case {
    DataType dtype;
    std::string name;
    size_t bytes;
  };
  for (const Case& c : std::vector<Case>{{DataType::kFloat32, "FP32", 4},
                                         {DataType::kFloat64, "FP64", 8},
                                         {DataType::kInt32, "INT32", 4},
                                         {DataType::kInt64, "INT64", 8},
                                         {DataType::kBool, "BOOL", 1}}) {
    WeightedModel model = Model("m");
    model.info.inputs[0].dtype = c.dtype;
    ASSERT_OK_AND_ASSIGN(const Workload workload,
                         MakeWorkload({model}, {.api = Api::kOpenInference}));
    EXPECT_EQ(workload.path, "/inference.GRPCInferenceService/ModelInfer");
    inference::ModelInferRequest request;
    ASSERT_TRUE(request.ParseFromString(workload.messages[0]));
    EXPECT_EQ(request.inputs(0).datatype(), c.name);
    EXPECT_EQ(request.raw_input_contents(0).size(), 3 * c.bytes);
  }
}

TEST(WorkloadTest, WeightsAreSharesOfTheMessages) {
  ASSERT_OK_AND_ASSIGN(const Workload workload,
                       MakeWorkload({Model("often", 9), Model("rare", 1)}, {}));
  std::map<std::string, int> count;
  for (const std::string& message : workload.messages) {
    v1::PredictRequest request;
    ASSERT_TRUE(request.ParseFromString(message));
    ++count[request.model().name()];
  }
  EXPECT_GT(count["often"], 4 * count["rare"]);
  EXPECT_GT(count["rare"], 0);
}

TEST(WorkloadTest, IdsAreWrittenInPlace) {
  for (const uint32_t slot : {0U, 7U, 12345U, 99999999U}) {
    ASSERT_OK_AND_ASSIGN(Workload predict, MakeWorkload({Model("m")}, {.stream = true}));
    SetId(predict.matching, predict.id_at[0], slot, &predict.messages[0]);
    v1::PredictStreamRequest request;
    ASSERT_TRUE(request.ParseFromString(predict.messages[0]));
    EXPECT_EQ(request.request().model().name(), "m");
    v1::PredictStreamResponse response;
    response.set_id(request.id());
    response.mutable_response()->set_model_name("m");
    const auto answer = ReadStreamAnswer(Matching::kPredictId, response.SerializeAsString());
    ASSERT_OK(answer);
    EXPECT_EQ(answer->slot, slot);
    EXPECT_EQ(answer->code, 0);
    response.mutable_error()->set_code(8);
    EXPECT_EQ(ReadStreamAnswer(Matching::kPredictId, response.SerializeAsString())->code, 8);

    ASSERT_OK_AND_ASSIGN(Workload infer,
                         MakeWorkload({Model("m")}, {.api = Api::kOpenInference, .stream = true}));
    SetId(infer.matching, infer.id_at[0], slot, &infer.messages[0]);
    inference::ModelInferRequest infer_request;
    ASSERT_TRUE(infer_request.ParseFromString(infer.messages[0]));
    inference::ModelStreamInferResponse infer_response;
    infer_response.mutable_infer_response()->set_id(infer_request.id());
    EXPECT_EQ(ReadStreamAnswer(Matching::kInferId, infer_response.SerializeAsString())->slot, slot);
    infer_response.set_error_message("no");
    EXPECT_EQ(ReadStreamAnswer(Matching::kInferId, infer_response.SerializeAsString())->code, 2);
  }
}

// Failures.

TEST(WorkloadTest, ModelsThatCannotBeAsked) {
  WeightedModel model = Model("m");
  model.info.inputs[0].shape = {8, 3};
  EXPECT_THAT(
      MakeWorkload({model}, {.rows = 2}),
      StatusIs(absl::StatusCode::kInvalidArgument, "m: input 'x' takes 8 rows at a time, not 2"));
  model.info.inputs[0].shape = {-1, 1 << 30};
  EXPECT_THAT(MakeWorkload({model}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, "m: a request above 64 MiB"));
  model.info.inputs[0].any_rank = true;
  EXPECT_THAT(MakeWorkload({model}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "m: input 'x' has no rank, so no rows can be made"));
}

TEST(WorkloadTest, AnswersThatAreNone) {
  for (const std::string& bytes :
       {std::string(), std::string(32, '\1'), std::string("\x08"), std::string("\x08\x01"),
        std::string("\x12\xff\x01"), std::string("\x1f"), std::string(40, '\xff')}) {
    for (const Matching matching : {Matching::kPredictId, Matching::kInferId}) {
      EXPECT_THAT(ReadStreamAnswer(matching, bytes),
                  StatusIs(absl::StatusCode::kInternal, testing::_));
    }
  }
}

}  // namespace
}  // namespace sigserve::bench
