#include "model/train/architecture.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TrainSpec Mlp() {
  TrainSpec spec;
  spec.feature_count = 3;
  spec.label_count = 2;
  spec.architecture = {.hidden_units = {5, 4}, .activation = Activation::kTanh};
  return spec;
}

TrainSpec Linear() {
  TrainSpec spec = Mlp();
  spec.architecture.hidden_units.clear();
  return spec;
}

std::vector<std::string> Described(const NamedWeights& weights) {
  std::vector<std::string> described;
  for (const auto& [name, tensor] : weights) {
    described.push_back(name + " " + tensor.shape().ToString());
  }
  return described;
}

// "Gemm '0': features,0.weight,0.bias -> 0.output"
std::vector<std::string> Described(const Graph& graph) {
  std::vector<std::string> described;
  for (const Node& node : graph.nodes()) {
    std::string line = node.spec.DebugName() + ":";
    for (const ValueId input : node.inputs) {
      line += " " + graph.value(input).name;
    }
    described.push_back(line + " -> " + graph.value(node.outputs[0]).name);
  }
  return described;
}

TEST(Weights, AreNamedAndShapedAsPyTorchs) {
  EXPECT_THAT(Described(DrawWeights(Mlp())),
              ElementsAre("0.weight [5,3]", "0.bias [5]", "2.weight [4,5]", "2.bias [4]",
                          "4.weight [2,4]", "4.bias [2]"));
  EXPECT_THAT(Described(DrawWeights(Linear())), ElementsAre("0.weight [2,3]", "0.bias [2]"));
}

TEST(Weights, AreDrawnBetweenPlusAndMinusOneByRootOfInputs) {
  TrainSpec spec = Linear();
  spec.feature_count = 100;
  spec.label_count = 50;
  for (const auto& [name, tensor] : DrawWeights(spec)) {
    const auto values = tensor.values<float>();
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    EXPECT_GE(*low, -0.1f) << name;
    EXPECT_LE(*high, 0.1f) << name;
    EXPECT_LT(*low, -0.08f) << name;
    EXPECT_GT(*high, 0.08f) << name;
  }
}

TEST(Weights, AreTheSeeds) {
  TrainSpec spec = Mlp();
  const auto first = [&](uint64_t seed) {
    spec.schedule.seed = seed;
    return DrawWeights(spec)[0].second.values<float>()[0];
  };
  EXPECT_EQ(first(1), first(1));
  EXPECT_NE(first(1), first(2));
}

TEST(TrainingGraph, TakesItsWeightsAsInputs) {
  ASSERT_OK_AND_ASSIGN(const Graph graph, TrainingGraph(Mlp()));
  EXPECT_THAT(Described(graph), ElementsAre("Gemm '0': features 0.weight 0.bias -> 0.output",
                                            "Tanh '1': 0.output -> 1.output",
                                            "Gemm '2': 1.output 2.weight 2.bias -> 2.output",
                                            "Tanh '3': 2.output -> 3.output",
                                            "Gemm '4': 3.output 4.weight 4.bias -> logits"));
  ASSERT_EQ(graph.inputs().size(), 7u);
  EXPECT_EQ(graph.value(graph.inputs()[0].value).name, "features");
  EXPECT_EQ(graph.value(graph.inputs()[6].value).name, "4.bias");
}

TEST(PublishableGraph, StandardizesAndEndsInProbabilities) {
  const Standardization standardization = {{1, 2, 3}, {4, 5, 6}};
  ASSERT_OK_AND_ASSIGN(const Graph graph,
                       PublishableGraph(Linear(), &standardization, DrawWeights(Linear())));
  EXPECT_THAT(Described(graph),
              ElementsAre("Sub 'standardization.shift': features standardization.mean -> centered",
                          "Div 'standardization.scale': centered standardization.stddev -> "
                          "standardized",
                          "Gemm '0': standardized 0.weight 0.bias -> logits",
                          "Sigmoid 'sigmoid': logits -> probabilities"));
  ASSERT_EQ(graph.inputs().size(), 1u);
  EXPECT_EQ(graph.inputs()[0].type.shape, Shape({-1, 3}));
  ASSERT_EQ(graph.outputs().size(), 1u);
}

TEST(PublishableGraph, WithoutStandardizationStartsAtTheFirstLayer) {
  ASSERT_OK_AND_ASSIGN(const Graph graph,
                       PublishableGraph(Linear(), nullptr, DrawWeights(Linear())));
  EXPECT_THAT(Described(graph), ElementsAre("Gemm '0': features 0.weight 0.bias -> logits",
                                            "Sigmoid 'sigmoid': logits -> probabilities"));
}

TEST(ArrangeWeights, TakesAnyOrder) {
  NamedWeights given = DrawWeights(Mlp());
  std::reverse(given.begin(), given.end());
  ASSERT_OK_AND_ASSIGN(const NamedWeights arranged, ArrangeWeights(Mlp(), std::move(given)));
  EXPECT_EQ(Described(arranged), Described(DrawWeights(Mlp())));
}

TEST(ArrangeWeights, ListsEveryDifference) {
  NamedWeights given = DrawWeights(Mlp());
  given[0].second = Tensor(DType::kFloat32, {3, 5});
  given[1].second = Tensor(DType::kFloat64, {5});
  given[2].second.mutable_values<float>()[0] = std::numeric_limits<float>::infinity();
  given[3].first = "fc.bias";
  given.emplace_back("4.bias", Tensor(DType::kFloat32, {2}));
  EXPECT_THAT(
      ArrangeWeights(Mlp(), std::move(given)),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("TRAIN_PARAM: initial_weights: "),
                     HasSubstr("'0.weight' FLOAT32 [5,3] is given as FLOAT32 [3,5]"),
                     HasSubstr("'0.bias' FLOAT32 [5] is given as FLOAT64 [5]"),
                     HasSubstr("'2.weight' has a value not finite"),
                     HasSubstr("'2.bias' FLOAT32 [4] is missing"),
                     HasSubstr("'fc.bias' is unknown"), HasSubstr("'4.bias' is given twice"))));
}

}  // namespace
}  // namespace sigserve
