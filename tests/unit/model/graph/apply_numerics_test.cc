#include "model/graph/passes/apply_numerics.h"

#include <string>
#include <vector>

#include "tests/support/declared_types.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing_support::Rows;

/// "sigserve.Gemm bf16" for each node.
std::vector<std::string> Text(const Graph& graph) {
  std::vector<std::string> lines;
  for (const Node& node : graph.nodes()) {
    std::string line = node.spec.domain.empty() ? "" : node.spec.domain + ".";
    line += node.spec.op_type;
    const auto precision = node.spec.attributes.String(kPrecisionAttribute, "");
    if (precision.ok() && !precision->empty()) line += " " + *precision;
    lines.push_back(line);
  }
  return lines;
}

/// Gemm and MatMul by constants, MatMul by an input, Sigmoid.
Graph Example() {
  GraphBuilder builder;
  const ValueId x = builder.AddInput("x", Rows(16));
  const ValueId w = builder.AddConstant("w", Tensor(DType::kFloat32, Shape{16, 16}));
  ValueId y = builder.AddNode("Gemm", {x, w}, "a");
  y = builder.AddNode("MatMul", {y, w}, "b");
  y = builder.AddNode("MatMul", {y, builder.AddInput("m", Rows(2))}, "c");
  builder.AddOutput(builder.AddNode("Sigmoid", {y}, "y"));
  return *std::move(builder).Build();
}

TEST(ApplyNumerics, LeavesTheDefaultAlone) {
  ASSERT_OK_AND_ASSIGN(const Graph graph, ApplyNumerics(Example(), {}));
  EXPECT_THAT(Text(graph), ElementsAre("Gemm", "MatMul", "MatMul", "Sigmoid"));
}

TEST(ApplyNumerics, Bf16IsForProductsWithConstantWeights) {
  ASSERT_OK_AND_ASSIGN(const Graph graph, ApplyNumerics(Example(), {Precision::kBf16, false}));
  EXPECT_THAT(Text(graph),
              ElementsAre("sigserve.Gemm bf16", "sigserve.MatMul bf16", "MatMul", "Sigmoid"));
}

TEST(ApplyNumerics, FastMathIsForSigmoids) {
  ASSERT_OK_AND_ASSIGN(const Graph graph, ApplyNumerics(Example(), {Precision::kFloat32, true}));
  EXPECT_THAT(Text(graph), ElementsAre("Gemm", "MatMul", "MatMul", "sigserve.FastSigmoid"));
}

TEST(ApplyNumerics, BothAtOnce) {
  ASSERT_OK_AND_ASSIGN(const Graph graph, ApplyNumerics(Example(), {Precision::kBf16, true}));
  EXPECT_THAT(Text(graph), ElementsAre("sigserve.Gemm bf16", "sigserve.MatMul bf16", "MatMul",
                                       "sigserve.FastSigmoid"));
}

TEST(ApplyNumerics, Bf16IsForConvolutionsToo) {
  GraphBuilder builder;
  DeclaredType images;
  images.shape = Shape{-1, 4, 5, 5};
  const ValueId w = builder.AddConstant("w", Tensor(DType::kFloat32, Shape{8, 4, 2, 2}));
  const ValueId y = builder.AddNode("Conv", {builder.AddInput("x", images), w}, "y");
  const ValueId v = builder.AddConstant("v", Tensor(DType::kFloat32, Shape{8, 2, 2, 2}));
  builder.AddOutput(builder.AddNode("ConvTranspose", {y, v}, "z"));
  ASSERT_OK_AND_ASSIGN(const Graph example, std::move(builder).Build());
  ASSERT_OK_AND_ASSIGN(const Graph graph, ApplyNumerics(example, {Precision::kBf16, false}));
  EXPECT_THAT(Text(graph), ElementsAre("sigserve.Conv bf16", "ConvTranspose"));
}

TEST(ApplyNumerics, NarrowLayersStayExact) {
  GraphBuilder builder;
  const auto weights = [&](const char* name, Shape shape) {
    return builder.AddConstant(name, Tensor(DType::kFloat32, std::move(shape)));
  };
  ValueId y = builder.AddInput("x", Rows(15));
  y = builder.AddNode("MatMul", {y, weights("few_inputs", Shape{15, 16})}, "a");
  y = builder.AddNode("MatMul", {y, weights("enough", Shape{16, 8})}, "b");
  Attributes transposed;
  ASSERT_OK(transposed.Add("transB", int64_t{1}));
  y = builder.AddNode("Gemm", {y, weights("enough_transposed", Shape{16, 8})}, "c", transposed);
  y = builder.AddNode("MatMul", {y, weights("few_outputs", Shape{16, 7})}, "d");
  builder.AddOutput(y);
  ASSERT_OK_AND_ASSIGN(const Graph example, std::move(builder).Build());
  ASSERT_OK_AND_ASSIGN(const Graph graph, ApplyNumerics(example, {Precision::kBf16, false}));
  EXPECT_THAT(Text(graph), ElementsAre("MatMul", "sigserve.MatMul bf16", "Gemm", "MatMul"));
}

TEST(ReadPrecision, KnowsOneName) {
  NodeSpec spec;
  spec.domain = std::string(kFusedDomain);
  EXPECT_EQ(ReadPrecision(spec).value(), Precision::kFloat32);
  ASSERT_OK(spec.attributes.Add(kPrecisionAttribute, std::string("fp8")));
  EXPECT_THAT(ReadPrecision(spec),
              StatusIs(absl::StatusCode::kInvalidArgument, "precision is 'fp8', expected bf16"));
}

}  // namespace
}  // namespace sigserve
