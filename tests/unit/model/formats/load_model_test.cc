#include "model/formats/load_model.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "model/formats/safetensors/safetensors.h"
#include "tests/support/fake_file_system.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::HasSubstr;
using testing_support::FakeFileSystem;

constexpr char kNet[] = R"(
  input { shape: [-1, 2] }
  layer { type: "Linear" in_features: 2 out_features: 1 bias: false })";

std::string Weights() {
  NamedTensors weights;
  weights.emplace_back("0.weight", Tensor::Of<float>(Shape{1, 2}, {1, 2}));
  return *WriteSafetensors(weights);
}

class LoadModelTest : public testing::Test {
 protected:
  LoadModelTest() { EXPECT_OK(files_.MakeDirectories("m/1")); }
  void Write(const std::string& name, const std::string& contents) {
    ASSERT_OK(files_.WriteFile("m/1/" + name, contents));
  }
  absl::StatusOr<Graph> Load() { return LoadModel(&files_, "m/1", "model.onnx"); }

  FakeFileSystem files_;
};

TEST_F(LoadModelTest, AnArchitectureAndItsWeights) {
  Write("model.textproto", kNet);
  Write("weights.safetensors", Weights());
  ASSERT_OK_AND_ASSIGN(const Graph graph, Load());
  EXPECT_EQ(graph.nodes().size(), 1U);
}

TEST_F(LoadModelTest, NothingThere) {
  EXPECT_THAT(Load(), StatusIs(StatusCode::kNotFound, HasSubstr("m/1/model.onnx")));
}

TEST_F(LoadModelTest, FilesUnderOtherNamesAreListed) {
  EXPECT_THAT(Load(), StatusIs(StatusCode::kNotFound, HasSubstr("the directory is empty")));
  Write("net.onnx", "");
  EXPECT_THAT(Load(),
              StatusIs(StatusCode::kNotFound,
                       "m/1/model.onnx: not found, nor is there a model.textproto; the directory "
                       "has net.onnx: rename it to model.onnx, or set default_model_filename in "
                       "config.pbtxt"));
  ASSERT_OK(files_.RemoveAll("m/1/net.onnx"));
  Write("weights.pth", "");
  EXPECT_THAT(Load(),
              StatusIs(StatusCode::kNotFound,
                       HasSubstr("the directory has weights.pth: weights need a description of "
                                 "their layers in model.textproto")));
  ASSERT_OK(files_.RemoveAll("m/1/weights.pth"));
  for (const std::string name : {"model.pkl", "model.joblib", "model.ubj"}) {
    Write(name, "");
    EXPECT_THAT(Load(), StatusIs(StatusCode::kNotFound,
                                 HasSubstr(absl::StrCat(name, ": convert the model to ONNX"))));
    ASSERT_OK(files_.RemoveAll("m/1/" + name));
  }
}

TEST_F(LoadModelTest, NoWeights) {
  Write("model.textproto", kNet);
  EXPECT_THAT(Load(), StatusIs(StatusCode::kInvalidArgument,
                               HasSubstr("m/1/model.textproto: needs one file of weights")));
}

TEST_F(LoadModelTest, TwoFilesOfWeights) {
  Write("model.textproto", kNet);
  Write("weights.safetensors", Weights());
  Write("weights.pth", "");
  EXPECT_THAT(Load(), StatusIs(StatusCode::kInvalidArgument,
                               HasSubstr("has weights.safetensors and weights.pth")));
}

TEST_F(LoadModelTest, ErrorsNameTheFile) {
  Write("model.textproto", kNet);
  Write("weights.pth", "PK");
  EXPECT_THAT(Load(),
              StatusIs(StatusCode::kUnimplemented, HasSubstr("m/1/weights.pth: PT_FORMAT")));
  ASSERT_OK(files_.RemoveAll("m/1/weights.pth"));
  Write("weights.safetensors", Weights());
  Write("model.textproto", "layer");
  EXPECT_THAT(Load(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("m/1/model.textproto: ARCH_PARSE")));
}

TEST_F(LoadModelTest, TheModelFileWins) {
  Write("model.textproto", kNet);
  Write("weights.safetensors", Weights());
  Write("model.onnx", "");
  EXPECT_THAT(Load(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("m/1/model.onnx: ONNX_PARSE")));
}

}  // namespace
}  // namespace sigserve
