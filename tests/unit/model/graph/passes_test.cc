#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "model/graph/passes/append_sigmoid.h"
#include "model/graph/passes/expand_linear_classifier.h"
#include "model/graph/passes/fold_constants.h"
#include "model/graph/passes/remove_dead_nodes.h"
#include "model/ops/op_table.h"
#include "tests/support/declared_types.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing_support::Rows;

/// "Sigmoid(z)->y" for each node.
std::vector<std::string> Text(const Graph& graph) {
  std::vector<std::string> lines;
  for (const Node& node : graph.nodes()) {
    std::string line = node.spec.op_type + "(";
    for (const ValueId id : node.inputs) line += graph.value(id).name + " ";
    line.back() = ')';
    for (const ValueId id : node.outputs) line += " " + graph.value(id).name;
    lines.push_back(line);
  }
  return lines;
}

TEST(AppendSigmoid, TakesOverTheOutputsName) {
  GraphBuilder builder;
  builder.AddOutput(builder.AddNode("Relu", {builder.AddInput("x", Rows(2))}, "y"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  ASSERT_OK_AND_ASSIGN(const Graph longer, AppendSigmoid(graph));
  EXPECT_THAT(Text(longer), ElementsAre("Relu(x) y_logits", "Sigmoid(y_logits) y"));
  EXPECT_EQ(longer.value(longer.outputs()[0]).name, "y");
}

TEST(AppendSigmoid, KeepsOtherUsersOfTheLogits) {
  GraphBuilder builder;
  const ValueId y = builder.AddNode("Relu", {builder.AddInput("x", Rows(2))}, "y");
  builder.AddOutput(y);
  builder.AddOutput(builder.AddNode("Tanh", {y}, "t"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  ASSERT_OK_AND_ASSIGN(const Graph longer, AppendSigmoid(graph));
  EXPECT_THAT(Text(longer), ElementsAre("Relu(x) y_logits", "Tanh(y_logits) t_logits",
                                        "Sigmoid(y_logits) y", "Sigmoid(t_logits) t"));
}

TEST(AppendSigmoid, LeavesIntegersAlone) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", Rows(2, DType::kInt64));
  builder.AddOutput(builder.AddNode("Identity", {x}, "y"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  ASSERT_OK_AND_ASSIGN(const Graph same, AppendSigmoid(graph));
  EXPECT_THAT(Text(same), ElementsAre("Identity(x) y"));
}

// Whether a double is an input, a constant or what a Cast makes.
TEST(AppendSigmoid, DoublesAreLogitsToo) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", Rows(2, DType::kFloat64));
  const ValueId i = builder.AddInput("i", Rows(2, DType::kInt64));
  const ValueId w = builder.AddConstant("w", Tensor::Of<double>(Shape{2}, {1, 2}));
  builder.AddOutput(builder.AddNode("Relu", {x}, "a"));
  builder.AddOutput(builder.AddNode("Mul", {w, x}, "b"));
  constexpr int64_t kOnnxDouble = 11;
  constexpr int64_t kOnnxInt64 = 7;
  for (const auto& [name, to] : {std::pair("c", kOnnxDouble), std::pair("d", kOnnxInt64)}) {
    NodeSpec cast;
    cast.name = name;
    cast.op_type = "Cast";
    cast.opset = 13;
    ASSERT_OK(cast.attributes.Add("to", to));
    builder.AddNode(cast, {i}, {builder.ValueNamed(name)});
    builder.AddOutput(builder.ValueNamed(name));
  }
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  ASSERT_OK_AND_ASSIGN(const Graph longer, AppendSigmoid(graph));
  EXPECT_THAT(Text(longer),
              ElementsAre("Relu(x) a_logits", "Mul(w x) b_logits", "Cast(i) c_logits", "Cast(i) d",
                          "Sigmoid(a_logits) a", "Sigmoid(b_logits) b", "Sigmoid(c_logits) c"));
}

TEST(AppendSigmoid, AnOutputThatIsAnInputGetsANewName) {
  GraphBuilder builder;
  builder.AddOutput(builder.AddInput("x", Rows(2)));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  ASSERT_OK_AND_ASSIGN(const Graph longer, AppendSigmoid(graph));
  EXPECT_THAT(Text(longer), ElementsAre("Sigmoid(x) x_probabilities"));
}

TEST(FoldConstants, ComputesWhatNoInputReaches) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", Rows(1));
  const ValueId a = builder.AddConstant("a", Tensor::Of<float>(Shape{1}, {2}));
  const ValueId b = builder.AddConstant("b", Tensor::Of<float>(Shape{1}, {3}));
  const ValueId c = builder.AddNode("Add", {a, b}, "c");
  builder.AddOutput(builder.AddNode("Mul", {x, c}, "y"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  ASSERT_OK_AND_ASSIGN(const Graph folded, FoldConstants(graph));
  EXPECT_THAT(Text(folded), ElementsAre("Mul(x c) y"));
  const Value& value = folded.value(folded.nodes()[0].inputs[1]);
  ASSERT_NE(value.constant, nullptr);
  EXPECT_THAT(value.constant->values<float>(), ElementsAre(5.0F));
}

TEST(FoldConstants, NamesTheNodeThatDoesNotFit) {
  GraphBuilder builder;
  const ValueId a = builder.AddConstant("a", Tensor::Of<float>(Shape{2}, {1, 2}));
  const ValueId b = builder.AddConstant("b", Tensor::Of<float>(Shape{3}, {1, 2, 3}));
  builder.AddOutput(builder.AddNode("Add", {a, b}, "misfit"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  EXPECT_THAT(FoldConstants(graph),
              StatusIs(absl::StatusCode::kInvalidArgument, testing::HasSubstr("Add 'misfit'")));
}

TEST(RemoveDeadNodes, KeepsWhatOutputsNeedAndAllInputs) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", Rows(1));
  builder.AddInput("unused", Rows(1));
  const ValueId dead = builder.AddNode("Relu", {x}, "dead");
  builder.AddNode("Add", {dead, builder.AddConstant("w", Tensor::Of<float>(Shape{1}, {1}))}, "too");
  builder.AddOutput(builder.AddNode("Tanh", {x}, "y"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  ASSERT_OK_AND_ASSIGN(const Graph smaller, RemoveDeadNodes(graph));
  EXPECT_THAT(Text(smaller), ElementsAre("Tanh(x) y"));
  EXPECT_EQ(smaller.inputs().size(), 2U);
  for (const Value& value : smaller.values()) EXPECT_EQ(value.constant, nullptr);
}

// LinearClassifier -> LinearClassifier + Sigmoid.

Graph Classifier(const std::string& post, std::vector<float> coefficients,
                 std::vector<float> intercepts) {
  NodeSpec spec;
  spec.name = "lc";
  spec.domain = "ai.onnx.ml";
  spec.op_type = "LinearClassifier";
  spec.opset = 1;
  EXPECT_OK(spec.attributes.Add("coefficients", std::move(coefficients)));
  EXPECT_OK(spec.attributes.Add("intercepts", std::move(intercepts)));
  EXPECT_OK(spec.attributes.Add("classlabels_ints", std::vector<int64_t>{0, 1}));
  EXPECT_OK(spec.attributes.Add("post_transform", post));
  GraphBuilder builder;
  builder.AddNode(spec, {builder.AddInput("x", Rows(2))},
                  {builder.ValueNamed("label"), builder.ValueNamed("p")});
  builder.AddOutput(builder.ValueNamed("label"));
  builder.AddOutput(builder.ValueNamed("p"));
  absl::StatusOr<Graph> graph = std::move(builder).Build();
  EXPECT_OK(graph);
  return *std::move(graph);
}

TEST(ExpandLinearClassifier, LogitsBecomeAValue) {
  ASSERT_OK_AND_ASSIGN(const Graph graph,
                       ExpandLinearClassifier(Classifier("LOGISTIC", {-1, -2, 1, 2}, {-3, 3})));
  EXPECT_THAT(Text(graph),
              ElementsAre("LinearClassifier(x) label p_logits", "Sigmoid(p_logits) p"));
  ASSERT_OK_AND_ASSIGN(const std::string post,
                       graph.nodes()[0].spec.attributes.String("post_transform", ""));
  EXPECT_EQ(post, "NONE");
}

TEST(ExpandLinearClassifier, ABinaryClassifierWithOneRowGetsItsSecond) {
  ASSERT_OK_AND_ASSIGN(const Graph graph,
                       ExpandLinearClassifier(Classifier("LOGISTIC", {1, 2}, {3})));
  const Attributes& attributes = graph.nodes()[0].spec.attributes;
  ASSERT_OK_AND_ASSIGN(const std::vector<float> rows, attributes.Floats("coefficients"));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> intercepts, attributes.Floats("intercepts"));
  EXPECT_THAT(rows, ElementsAre(-1, -2, 1, 2));
  EXPECT_THAT(intercepts, ElementsAre(-3, 3));
}

TEST(ExpandLinearClassifier, LeavesRawScoresAlone) {
  ASSERT_OK_AND_ASSIGN(const Graph graph,
                       ExpandLinearClassifier(Classifier("NONE", {-1, -2, 1, 2}, {-3, 3})));
  EXPECT_THAT(Text(graph), ElementsAre("LinearClassifier(x) label p"));
}

}  // namespace
}  // namespace sigserve
