#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/graph/graph.h"
#include "tests/support/declared_types.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::Rows;

std::vector<std::string> NodeNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.spec.name);
  return names;
}

TEST(GraphBuilder, BuildsWhatItWasTold) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", Rows(3));
  const ValueId w = builder.AddConstant("w", Tensor(DType::kFloat32, Shape{3, 2}));
  const ValueId z = builder.AddNode("MatMul", {x, w}, "z");
  const ValueId y = builder.AddNode("Sigmoid", {z}, "y");
  builder.AddOutput(y);
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());

  EXPECT_THAT(NodeNames(graph), ElementsAre("z", "y"));
  EXPECT_EQ(graph.value(graph.outputs()[0]).name, "y");
  EXPECT_EQ(graph.producer(y)->spec.op_type, "Sigmoid");
  EXPECT_EQ(graph.producer(x), nullptr);
  EXPECT_EQ(graph.producer(w), nullptr);
  EXPECT_NE(graph.value(w).constant, nullptr);
}

TEST(GraphBuilder, SortsNodesAndOtherwiseKeepsTheirOrder) {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", Rows(3));
  builder.AddOutput(
      builder.AddNode("Add", {builder.ValueNamed("b"), builder.ValueNamed("a")}, "c"));
  builder.AddNode("Relu", {x}, "b");
  builder.AddNode("Tanh", {x}, "a");
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  EXPECT_THAT(NodeNames(graph), ElementsAre("b", "a", "c"));
}

TEST(GraphBuilder, ContinuesFromAGraph) {
  GraphBuilder first;
  first.AddOutput(first.AddNode("Relu", {first.AddInput("x", Rows(3))}, "y"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(first).Build());
  GraphBuilder second(graph);
  EXPECT_EQ(second.UniqueName("y"), "y_2");
  EXPECT_EQ(second.UniqueName("p"), "p");
  second.ReplaceOutput(0, second.AddNode("Sigmoid", {second.ValueNamed("y")}, "p"));
  ASSERT_OK_AND_ASSIGN(const Graph longer, std::move(second).Build());
  EXPECT_THAT(NodeNames(longer), ElementsAre("y", "p"));
  EXPECT_EQ(longer.value(longer.outputs()[0]).name, "p");
}

TEST(GraphBuilder, OrdersALongChainGivenBackwards) {
  constexpr int kLength = 50'000;
  GraphBuilder builder;
  builder.AddInput("v0", Rows(3));
  for (int i = kLength; i > 0; --i) {
    builder.AddNode("Relu", {builder.ValueNamed(absl::StrCat("v", i - 1))}, absl::StrCat("v", i));
  }
  builder.AddOutput(builder.ValueNamed(absl::StrCat("v", kLength)));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(builder).Build());
  EXPECT_EQ(graph.nodes().front().spec.name, "v1");
  EXPECT_EQ(graph.nodes().back().spec.name, absl::StrCat("v", kLength));
}

// What is refused, and how the message helps.

struct BadGraph {
  const char* name;
  void (*fill)(GraphBuilder& builder);
  absl::StatusCode code;
  std::vector<std::string> says;
};

class Refused : public testing::TestWithParam<BadGraph> {};

TEST_P(Refused, NamesTheCulprit) {
  GraphBuilder builder;
  GetParam().fill(builder);
  const absl::Status status = std::move(builder).Build().status();
  for (const std::string& part : GetParam().says) {
    EXPECT_THAT(status, StatusIs(GetParam().code, HasSubstr(part)));
  }
}

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

INSTANTIATE_TEST_SUITE_P(
    GraphBuilder, Refused,
    testing::Values(BadGraph{"dangling_input",
                             [](GraphBuilder& b) {
                               b.AddOutput(b.AddNode("Relu", {b.ValueNamed("ghost")}, "y"));
                             },
                             kInvalid,
                             {"GRAPH_DANGLING: ", "Relu 'y'", "'ghost'"}},
                    BadGraph{"dangling_output",
                             [](GraphBuilder& b) { b.AddOutput(b.ValueNamed("ghost")); },
                             kInvalid,
                             {"GRAPH_DANGLING: ", "output 'ghost'"}},
                    BadGraph{"no_outputs", [](GraphBuilder&) {}, kInvalid, {"no outputs"}},
                    BadGraph{"defined_twice",
                             [](GraphBuilder& b) {
                               const ValueId x = b.AddInput("x", Rows(1));
                               b.AddNode("Relu", {x}, "y");
                               b.AddOutput(b.AddNode("Tanh", {x}, "y"));
                             },
                             kInvalid,
                             {"GRAPH_SSA: ", "'y'", "Tanh"}},
                    BadGraph{"overwrites_an_input",
                             [](GraphBuilder& b) {
                               b.AddOutput(b.AddNode("Relu", {b.AddInput("x", Rows(1))}, "x"));
                             },
                             kInvalid,
                             {"GRAPH_SSA: ", "'x'"}},
                    BadGraph{"two_inputs_of_one_name",
                             [](GraphBuilder& b) {
                               b.AddInput("x", Rows(1));
                               b.AddOutput(b.AddInput("x", Rows(1)));
                             },
                             kInvalid,
                             {"GRAPH_SSA: ", "'x'"}},
                    BadGraph{"two_constants_of_one_name",
                             [](GraphBuilder& b) {
                               b.AddConstant("w", Tensor());
                               b.AddOutput(b.AddConstant("w", Tensor()));
                             },
                             kInvalid,
                             {"GRAPH_DUP: ", "'w'"}},
                    BadGraph{"cycle",
                             [](GraphBuilder& b) {
                               const ValueId x = b.AddInput("x", Rows(1));
                               b.AddNode("Add", {x, b.ValueNamed("b")}, "a");
                               b.AddOutput(b.AddNode("Relu", {b.ValueNamed("a")}, "b"));
                             },
                             kInvalid,
                             {"GRAPH_CYCLE: ", "Add 'a'"}},
                    BadGraph{"unknown_operator",
                             [](GraphBuilder& b) {
                               b.AddOutput(
                                   b.AddNode("Frobnicate", {b.AddInput("x", Rows(1))}, "y"));
                             },
                             kUnimplemented,
                             {"GRAPH_OP: ", "Frobnicate 'y'", "'ai.onnx'"}},
                    BadGraph{"unknown_domain",
                             [](GraphBuilder& b) {
                               NodeSpec spec;
                               spec.domain = "evil";
                               spec.op_type = "Relu";
                               b.AddNode(spec, {b.AddInput("x", Rows(1))}, {b.ValueNamed("y")});
                               b.AddOutput(b.ValueNamed("y"));
                             },
                             kUnimplemented,
                             {"GRAPH_OP: ", "'evil'"}},
                    BadGraph{"too_many_nodes",
                             [](GraphBuilder& b) {
                               const ValueId x = b.AddInput("x", Rows(1));
                               for (int i = 0; i <= 100'000; ++i)
                                 b.AddNode("Relu", {x}, absl::StrCat("v", i));
                               b.AddOutput(b.ValueNamed("v0"));
                             },
                             absl::StatusCode::kResourceExhausted,
                             {"GRAPH_NODE_LIMIT: ", "100001 nodes"}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sigserve
