// Numerics of config.pbtxt, and the check of BF16 at load.
#include "server/registry/model_loader.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/formats/onnx/onnx_writer.h"
#include "model/formats/safetensors/safetensors.h"
#include "model/graph/graph.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/random_tensor.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing_support::FakeFileSystem;
using testing_support::Random;

class ModelLoaderTest : public testing::Test {
 protected:
  ModelLoaderTest() : repository_(&files_, "/models"), loader_(&repository_, &files_) {
    GraphBuilder builder;  // x [N,40] -> 40x3 -> Sigmoid
    const ValueId x = builder.AddInput("x", {.shape = Shape{-1, 40}});
    const ValueId w = builder.AddConstant("w", Random(Shape{40, 8}, 1));
    builder.AddOutput(builder.AddNode("Sigmoid", {builder.AddNode("MatMul", {x, w}, "z")}, "y"));
    const Graph graph = *std::move(builder).Build();
    EXPECT_OK(files_.MakeDirectories("/models/m/1"));
    EXPECT_OK(files_.WriteFile("/models/m/1/model.onnx", *WriteOnnx(graph, "test")));
  }

  void PutSample(const std::string& name, Tensor tensor) {
    NamedTensors tensors;
    tensors.emplace_back(name, std::move(tensor));
    EXPECT_OK(files_.WriteFile("/models/m/1/sample.safetensors", *WriteSafetensors(tensors)));
  }
  absl::Status Load(const std::string& sigserve) {
    const absl::StatusOr<ModelOptions> options =
        ParseModelConfig("sigserve { " + sigserve + " }", "m");
    if (!options.ok()) return options.status();
    return loader_.LoadVersion("m", 1, *options).status();
  }

  FakeFileSystem files_;
  Repository repository_;
  ModelLoader loader_;
};

TEST_F(ModelLoaderTest, LoadsInEveryPrecision) {
  EXPECT_OK(Load(""));
  EXPECT_OK(Load("precision: FLOAT32"));
  EXPECT_OK(Load("fast_math: true"));
  EXPECT_OK(Load("precision: BF16"));
  EXPECT_OK(Load("precision: BF16 fast_math: true"));
}

TEST_F(ModelLoaderTest, WarnsOfABatchSizeFixedAtOne) {
  const auto log_of_load = [this] {
    testing::internal::CaptureStderr();
    EXPECT_OK(Load(""));
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(log_of_load(), testing::Not(HasSubstr("fixed")));
  GraphBuilder builder;
  builder.AddOutput(
      builder.AddNode("Sigmoid", {builder.AddInput("x", {.shape = Shape{1, 40}})}, "y"));
  EXPECT_OK(
      files_.WriteFile("/models/m/1/model.onnx", *WriteOnnx(*std::move(builder).Build(), "test")));
  EXPECT_THAT(
      log_of_load(),
      HasSubstr("model 'm' version 1: input 'x' has the shape [1,40]: each request can have "
                "only 1 row; export the model with dynamic_axes to serve batches"));
}

TEST_F(ModelLoaderTest, RefusesBf16ThatChangesTooMuch) {
  EXPECT_THAT(Load("precision: BF16 max_probability_change: 1e-6"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("/models/m/1/model.onnx: "), HasSubstr("precision BF16"),
                             HasSubstr("output 'y' changes by up to 0.011"),
                             HasSubstr("on random inputs, more than 1e-06"))));
  EXPECT_OK(Load("max_probability_change: 1e-6"));  // FLOAT32 does not change
}

TEST_F(ModelLoaderTest, ComparesOnTheVersionsSample) {
  PutSample("x", Tensor(DType::kFloat32, Shape{2, 40}));  // zeros change nothing
  EXPECT_OK(Load("precision: BF16 max_probability_change: 1e-6"));
  PutSample("x", Random(Shape{7, 40}, 2));
  EXPECT_THAT(
      Load("precision: BF16 max_probability_change: 1e-6"),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("on the sample, more than")));
}

TEST_F(ModelLoaderTest, RefusesASampleThatIsNone) {
  PutSample("X", Random(Shape{7, 40}, 2));
  EXPECT_THAT(Load("precision: BF16"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("/models/m/1/sample.safetensors: no tensor for input 'x'")));
  PutSample("x", Random(Shape{7, 41}, 2));
  EXPECT_THAT(Load("precision: BF16"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the sample: ")));
  EXPECT_OK(files_.WriteFile("/models/m/1/sample.safetensors", "no"));
  EXPECT_THAT(Load("precision: BF16"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ST_TRUNCATED")));
  EXPECT_OK(Load("precision: FLOAT32"));  // does not read the sample
}

}  // namespace
}  // namespace sigserve
