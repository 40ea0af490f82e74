#include "model/formats/architecture/architecture.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/runtime/session.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

/// name -> a tensor of this shape whose elements are 0.1, 0.2, ...
std::pair<std::string, Tensor> Ramp(std::string name, Shape shape) {
  Tensor tensor(DType::kFloat32, std::move(shape));
  float value = 0;
  for (float& element : tensor.mutable_values<float>()) element = value += 0.1F;
  return {std::move(name), std::move(tensor)};
}

template <typename... Pairs>
NamedTensors Weights(Pairs... pairs) {
  NamedTensors weights;
  (weights.push_back(std::move(pairs)), ...);
  return weights;
}

/// The operators of a graph, in order.
std::vector<std::string> Operators(const Graph& graph) {
  std::vector<std::string> operators;
  for (const Node& node : graph.nodes()) operators.push_back(node.spec.op_type);
  return operators;
}

std::vector<float> Answer(const Graph& graph, const Tensor& input) {
  auto executable = Executable::Compile(graph);
  EXPECT_OK(executable);
  if (!executable.ok()) return {};
  Session session(*executable);
  EXPECT_OK(session.Run({input.view()}));
  const auto values = session.output(0).values<float>();
  return {values.begin(), values.end()};
}

constexpr char kSimpleNet[] = R"(
  input { shape: [-1, 3] }
  layer { type: "Linear" in_features: 3 out_features: 2 }
  layer { type: "Sigmoid" })";

TEST(BuildFromArchitecture, SimpleNet) {
  ASSERT_OK_AND_ASSIGN(const Graph graph,
                       BuildFromArchitecture(kSimpleNet, Weights(Ramp("0.weight", Shape{2, 3}),
                                                                 Ramp("0.bias", Shape{2}))));
  EXPECT_THAT(Operators(graph), ElementsAre("Gemm", "Sigmoid"));
  EXPECT_EQ(graph.value(graph.inputs()[0].value).name, "x");
  EXPECT_EQ(graph.value(graph.outputs()[0]).name, "y");
  const Tensor x = Tensor::Of<float>(Shape{1, 3}, {1, 0, -1});
  // W x + b = (0.1 - 0.3 + 0.1, 0.4 - 0.6 + 0.2)
  EXPECT_THAT(Answer(graph, x), Pointwise(FloatNear(1e-6), {0.4750208F, 0.5F}));
}

TEST(BuildFromArchitecture, KeysOfNestedSequentialsAndWrappers) {
  constexpr char kText[] = R"(
    input { name: "features" shape: [-1, 2] }
    output: "score"
    layer { type: "Sequential" key: "body"
            layer { type: "Linear" in_features: 2 out_features: 2 bias: false }
            layer { type: "Sequential" layer { type: "Linear" in_features: 2 out_features: 1 } } }
    layer { type: "Linear" key: "head" in_features: 1 out_features: 1 })";
  for (const char* wrapper : {"", "module.", "_orig_mod."}) {
    ASSERT_OK_AND_ASSIGN(
        const Graph graph,
        BuildFromArchitecture(kText,
                              Weights(Ramp(absl::StrCat(wrapper, "body.0.weight"), Shape{2, 2}),
                                      Ramp(absl::StrCat(wrapper, "body.1.0.weight"), Shape{1, 2}),
                                      Ramp(absl::StrCat(wrapper, "body.1.0.bias"), Shape{1}),
                                      Ramp(absl::StrCat(wrapper, "head.weight"), Shape{1, 1}),
                                      Ramp(absl::StrCat(wrapper, "head.bias"), Shape{1}))));
    EXPECT_THAT(Operators(graph), ElementsAre("Gemm", "Gemm", "Gemm")) << wrapper;
    EXPECT_EQ(graph.value(graph.outputs()[0]).name, "score");
  }
}

TEST(BuildFromArchitecture, TheOtherLayersWeHaveOperatorsFor) {
  constexpr char kText[] = R"(
    input { dtype: "INT64" shape: [-1, 4] }
    layer { type: "Embedding" num_embeddings: 10 embedding_dim: 3 }
    layer { type: "Mean" dim: 1 }
    layer { type: "Threshold" threshold: 0.25 value: 1e-6 }
    layer { type: "Hardtanh" min_val: 0 max_val: 0.5 }
    layer { type: "SiLU" }
    layer { type: "Dropout" p: 0.5 }
    layer { type: "Unflatten" dim: 1 unflattened_size: [3, 1] }
    layer { type: "Flatten" }
    layer { type: "View" shape: [-1, 3] }
    layer { type: "Softmax" dim: 1 })";
  ASSERT_OK_AND_ASSIGN(const Graph graph,
                       BuildFromArchitecture(kText, Weights(Ramp("0.weight", Shape{10, 3}))));
  EXPECT_THAT(Operators(graph),
              ElementsAre("Gather", "ReduceMean", "LessOrEqual", "Where", "Clip", "Sigmoid", "Mul",
                          "Reshape", "Flatten", "Reshape", "Softmax"));
  // The mean is (0.1, 0.2, 0.3), of which 0.3 passes; 0.3 sigmoid(0.3) is 0.172333.
  const Tensor ids = Tensor::Of<int64_t>(Shape{1, 4}, {0, 0, 0, 0});
  EXPECT_THAT(Answer(graph, ids), Pointwise(FloatNear(1e-5), {0.313669F, 0.313669F, 0.372662F}));
}

TEST(BuildFromArchitecture, LinearOnMoreDimensions) {
  constexpr char kText[] = R"(
    input { shape: [-1, 2, 3] }
    layer { type: "Linear" in_features: 3 out_features: 1 bias: false }
    layer { type: "Select" dim: 1 index: -1 })";
  ASSERT_OK_AND_ASSIGN(const Graph graph,
                       BuildFromArchitecture(kText, Weights(Ramp("0.weight", Shape{1, 3}))));
  EXPECT_THAT(Operators(graph), ElementsAre("MatMul", "Gather"));
  const Tensor x = Tensor::Of<float>(Shape{1, 2, 3}, {9, 9, 9, 1, 0, 1});
  EXPECT_THAT(Answer(graph, x), Pointwise(FloatNear(1e-6), {0.4F}));
}

struct Bad {
  const char* what;
  std::string text;
  StatusCode code;
  std::string says;
};

TEST(BuildFromArchitecture, Refuses) {
  constexpr auto kIa = StatusCode::kInvalidArgument;
  const auto layer = [](const std::string& text) {
    return absl::StrCat("input { shape: [-1, 3] } layer { ", text, " }");
  };
  const Bad kBad[] = {
      {"no protobuf", "layer {", kIa, "ARCH_PARSE: line 1"},
      {"Latin-1", "# caf\xE9", kIa, "ARCH_PARSE: line 1 has the byte 0xE9"},
      {"UTF-16", "\xFF\xFEi", kIa, "ARCH_PARSE: is UTF-16"},
      {"an unknown field behind a byte order mark", "\xEF\xBB\xBFlayers {}", kIa,
       "ARCH_PARSE: line 1, column 8"},
      {"an unknown field", "layers {}", kIa, "ARCH_PARSE: line 1, column"},
      {"no layer", "input { shape: [-1, 3] }", kIa, "PT_KEYS: not in the architecture"},
      {"no input", "layer { type: \"ReLU\" }", kIa, "ARCH_INPUT: shape"},
      {"a fixed batch", "input { shape: [7, 3] }", kIa, "ARCH_INPUT: shape"},
      {"a size of 0", "input { shape: [-1, 0] }", kIa, "ARCH_INPUT: shape has the size 0"},
      {"an input of text", "input { dtype: \"STRING\" shape: [-1] }", kIa, "ARCH_INPUT: dtype"},
      {"an unknown layer", layer("type: \"Transformer\""), StatusCode::kUnimplemented,
       "ARCH_LAYER: 'Transformer' '0'"},
      {"no type", layer("in_features: 1"), StatusCode::kUnimplemented, "ARCH_LAYER: a layer"},
      {"another layer's argument", layer("type: \"ReLU\" in_features: 3"), kIa,
       "ARCH_ARGUMENT: 'ReLU' '0': has no argument 'in_features'"},
      {"an argument missing", layer("type: \"Linear\" in_features: 3"), kIa,
       "ARCH_ARGUMENT: 'Linear' '0': out_features is missing"},
      {"a negative size", layer("type: \"Linear\" in_features: 3 out_features: -1"), kIa,
       "out_features is -1"},
      {"too few dimensions", layer("type: \"Conv2d\" in_channels: 1"), kIa, "gets 2 dimensions"},
      {"no such dimension", layer("type: \"Softmax\" dim: 2"), kIa, "dim must be"},
      {"weights of another shape", layer("type: \"Linear\" in_features: 4 out_features: 2"), kIa,
       "PT_KEYS: of another shape: '0.weight' is FLOAT32[2,3], expected FLOAT32[2,4]"},
      {"weights missing and left over",
       layer("type: \"Linear\" key: \"fc\" in_features: 3 out_features: 2"), kIa,
       "PT_KEYS: missing in the weights: 'fc.weight' [2,3], 'fc.bias' [2]; not in the "
       "architecture: '0.weight' [2,3], '0.bias' [2]"},
      {"deep",
       "input { shape: [-1, 3] } " +
           [] {
             std::string text;
             for (int i = 0; i < 20; ++i) text += "layer { type: \"Sequential\" ";
             return text + std::string(20, '}');
           }(),
       kIa, "ARCH_ARGUMENT: nests more than"},
  };
  for (const Bad& bad : kBad) {
    SCOPED_TRACE(bad.what);
    const auto graph = BuildFromArchitecture(
        bad.text, Weights(Ramp("0.weight", Shape{2, 3}), Ramp("0.bias", Shape{2})));
    EXPECT_EQ(graph.status().code(), bad.code) << graph.status();
    EXPECT_THAT(std::string(graph.status().message()), HasSubstr(bad.says));
  }
}

}  // namespace
}  // namespace sigserve
