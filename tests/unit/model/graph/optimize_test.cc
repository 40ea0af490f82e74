// Passes that fuse and fold: the graph gets smaller, the results stay what they were.
#include "model/graph/passes/optimize.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/graph/passes/fold_batch_norm.h"
#include "model/graph/passes/fuse_activation.h"
#include "model/graph/passes/fuse_bias.h"
#include "model/graph/passes/remove_identities.h"
#include "model/graph/program.h"
#include "tests/support/random_tensor.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing::FloatEq;
using testing_support::Random;

Tensor Positive(const Shape& shape, uint32_t seed) {
  Tensor tensor = Random(shape, seed);
  for (float& x : tensor.mutable_values<float>()) x = std::abs(x) + 0.1F;
  return tensor;
}

/// Every node by itself, each value with memory of its own.
std::vector<float> Evaluate(const Graph& graph, const Tensor& x) {
  absl::StatusOr<Program> program = Program::Create(graph);
  EXPECT_OK(program);
  std::vector<TensorType> types;
  EXPECT_OK(program->InferTypes({{x.dtype(), x.shape()}}, types));
  std::vector<Tensor> values;
  values.reserve(types.size());
  for (const TensorType& type : types) values.emplace_back(type.dtype, type.shape);
  const auto view = [&](ValueId id) -> TensorView {
    if (id == kNoValue) return {};
    if (id == graph.inputs()[0].value) return x.view();
    const bool known = static_cast<size_t>(id) < graph.values().size();
    if (known && graph.value(id).constant != nullptr) return graph.value(id).constant->view();
    return values[static_cast<size_t>(id)].view();
  };
  for (const Step& step : program->steps()) {
    std::vector<TensorView> in;
    std::vector<MutableTensorView> out;
    for (const ValueId id : step.inputs) in.push_back(view(id));
    for (const ValueId id : step.outputs) {
      out.push_back(values[static_cast<size_t>(id)].mutable_view());
    }
    ForwardOnce(*step.op, in, out);
  }
  const auto y = view(graph.outputs()[0]).values<float>();
  return {y.begin(), y.end()};
}

std::vector<std::string> Types(const Graph& graph) {
  std::vector<std::string> types;
  for (const Node& node : graph.nodes()) {
    types.push_back(node.spec.domain.empty() ? node.spec.op_type
                                             : node.spec.domain + "." + node.spec.op_type);
  }
  return types;
}

class Passes : public testing::Test {
 protected:
  GraphBuilder b;

  ValueId Input(std::initializer_list<int64_t> rest) {
    DeclaredType type;
    type.shape.push_back(-1);
    for (const int64_t size : rest) type.shape.push_back(size);
    return b.AddInput("x", type);
  }
  ValueId Weights(absl::string_view name, const Shape& shape) {
    return b.AddConstant(name, Random(shape, ++seed_));
  }
  ValueId BatchNorm(ValueId from, int64_t channels, const char* name) {
    const std::string prefix(name);
    return b.AddNode(
        "BatchNormalization",
        {from, Weights(prefix + ".weight", Shape{channels}),
         Weights(prefix + ".bias", Shape{channels}), Weights(prefix + ".mean", Shape{channels}),
         b.AddConstant(prefix + ".var", Positive(Shape{channels}, ++seed_))},
        name);
  }
  Graph Built() { return *std::move(b).Build(); }

 private:
  uint32_t seed_ = 0;
};

void ExpectSameBits(const Graph& a, const Graph& b, const Tensor& x) {
  const std::vector<float> expected = Evaluate(a, x);
  const std::vector<float> got = Evaluate(b, x);
  ASSERT_EQ(got.size(), expected.size());
  EXPECT_EQ(std::memcmp(got.data(), expected.data(), got.size() * sizeof(float)), 0);
}

void ExpectClose(const Graph& a, const Graph& b, const Tensor& x) {
  const std::vector<float> expected = Evaluate(a, x);
  const std::vector<float> got = Evaluate(b, x);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 2e-5) << i;
}

TEST_F(Passes, AnMlpIsTwoProductsAndASigmoid) {
  const ValueId x = Input({7});
  const ValueId z0 =
      b.AddNode("Gemm", {x, Weights("w0", Shape{7, 20}), Weights("b0", Shape{20})}, "z0");
  const ValueId h = b.AddNode("Relu", {b.AddNode("Dropout", {z0}, "d")}, "h");
  const ValueId z1 = b.AddNode("MatMul", {h, Weights("w1", Shape{20, 3})}, "z1");
  const ValueId sum = b.AddNode("Add", {Weights("b1", Shape{3}), z1}, "sum");
  b.AddOutput(b.AddNode("Sigmoid", {b.AddNode("Identity", {sum}, "i")}, "y"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph fused, Optimize(graph));
  EXPECT_THAT(Types(fused), ElementsAre("sigserve.Gemm", "sigserve.MatMul", "Sigmoid"));
  EXPECT_EQ(fused.value(fused.outputs()[0]).name, "y");
  ExpectSameBits(graph, fused, Random(Shape{5, 7}, 99));
}

TEST_F(Passes, AReluAfterAGemmWithMoreThanABias) {
  Attributes half;
  ASSERT_OK(half.Add("alpha", 0.5F));
  const ValueId z = b.AddNode(
      "Gemm", {Input({7}), Weights("w", Shape{7, 20}), Weights("c", Shape{1})}, "z", half);
  b.AddOutput(b.AddNode("Relu", {z}, "y"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph fused, Optimize(graph));
  EXPECT_THAT(Types(fused), ElementsAre("sigserve.Gemm"));
  ExpectSameBits(graph, fused, Random(Shape{5, 7}, 99));
}

TEST_F(Passes, ALayerOfSeveralRowsAtOnce) {  // [N,4,7] x [7,5] + [5]
  const ValueId z = b.AddNode("MatMul", {Input({4, 7}), Weights("w", Shape{7, 5})}, "z");
  b.AddOutput(b.AddNode("Relu", {b.AddNode("Add", {z, Weights("b", Shape{5})}, "sum")}, "y"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph fused, Optimize(graph));
  EXPECT_THAT(Types(fused), ElementsAre("sigserve.MatMul"));
  ExpectSameBits(graph, fused, Random(Shape{3, 4, 7}, 99));
}

TEST_F(Passes, AConvolutionTakesInAPoolOfNeighboursAndNoOther) {
  struct Pool {
    std::vector<int64_t> kernel;
    std::vector<int64_t> strides;
    int64_t ceil_mode;
    size_t nodes;
  };
  for (const Pool& pool :
       {Pool{{1, 4}, {1, 4}, 0, 1}, Pool{{1, 2}, {1, 2}, 0, 1}, Pool{{1, 4}, {1, 2}, 0, 2},
        Pool{{1, 4}, {1, 4}, 1, 2}, Pool{{2, 4}, {2, 4}, 0, 2}, Pool{{1, 3}, {1, 3}, 0, 2}}) {
    b = GraphBuilder();
    Attributes attributes;
    ASSERT_OK(attributes.Add("kernel_shape", pool.kernel));
    ASSERT_OK(attributes.Add("strides", pool.strides));
    ASSERT_OK(attributes.Add("ceil_mode", pool.ceil_mode));
    const ValueId z = b.AddNode("Conv", {Input({3, 4, 21}), Weights("w", Shape{5, 3, 2, 3})}, "z");
    const ValueId h = b.AddNode("Relu", {z}, "h");
    b.AddOutput(b.AddNode("MaxPool", {h}, "y", attributes));
    const Graph graph = Built();
    ASSERT_OK_AND_ASSIGN(const Graph fused, Optimize(graph));
    EXPECT_EQ(fused.nodes().size(), pool.nodes);
    ExpectSameBits(graph, fused, Random(Shape{2, 3, 4, 21}, 99));
  }
}

TEST_F(Passes, WhatIsReadElsewhereStays) {
  const ValueId z = b.AddNode("MatMul", {Input({7}), Weights("w", Shape{7, 5})}, "z");
  const ValueId sum = b.AddNode("Add", {z, Weights("b", Shape{5})}, "sum");
  const ValueId relu = b.AddNode("Relu", {sum}, "relu");
  b.AddOutput(b.AddNode("Add", {relu, b.AddNode("Add", {sum, z}, "more")}, "y"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph same, Optimize(graph));
  EXPECT_EQ(Types(same), Types(graph));
}

TEST_F(Passes, AnOutputOfTheGraphStays) {
  const ValueId z = b.AddNode("MatMul", {Input({7}), Weights("w", Shape{7, 5})}, "z");
  b.AddOutput(b.AddNode("Identity", {b.AddNode("Relu", {z}, "relu")}, "y"));
  b.AddOutput(z);
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph same, Optimize(graph));
  EXPECT_THAT(Types(same), ElementsAre("MatMul", "Relu", "Identity"));
}

TEST_F(Passes, AConstantThatIsNoBiasStaysAnAdd) {
  const ValueId z = b.AddNode("MatMul", {Input({5}), Weights("w", Shape{5, 5})}, "z");
  b.AddOutput(b.AddNode("Add", {z, Weights("one_per_row", Shape{5, 1})}, "y"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph same, FuseBias(graph));
  EXPECT_THAT(Types(same), ElementsAre("MatMul", "Add"));
}

TEST_F(Passes, DropoutWhoseMaskIsReadStays) {
  const ValueId x = Input({5});
  const ValueId y = b.ValueNamed("y");
  const ValueId mask = b.ValueNamed("mask");
  NodeSpec dropout;
  dropout.op_type = "Dropout";
  b.AddNode(dropout, {x}, {y, mask});
  b.AddOutput(b.AddNode("Relu", {y}, "relu"));
  b.AddOutput(mask);
  ASSERT_OK_AND_ASSIGN(const Graph same, RemoveIdentities(Built()));
  EXPECT_THAT(Types(same), ElementsAre("Dropout", "Relu"));
}

Attributes With(absl::string_view name, AttributeValue value) {
  Attributes attributes;
  EXPECT_OK(attributes.Add(name, std::move(value)));
  return attributes;
}

TEST_F(Passes, BatchNormalizationFoldsIntoAConvolution) {
  const ValueId z = b.AddNode("Conv", {Input({4, 6, 5}), Weights("w", Shape{6, 2, 3, 3})}, "z",
                              With("group", int64_t{2}));
  b.AddOutput(b.AddNode("Relu", {BatchNorm(z, 6, "bn")}, "y"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph fused, Optimize(graph));
  EXPECT_THAT(Types(fused), ElementsAre("sigserve.Conv"));
  ExpectClose(graph, fused, Random(Shape{2, 4, 6, 5}, 99));
}

TEST_F(Passes, BatchNormalizationFoldsIntoATransposedConvolution) {
  const ValueId w = Weights("w", Shape{4, 3, 2, 2});
  const ValueId z = b.AddNode("ConvTranspose", {Input({4, 3, 3}), w, Weights("bias", Shape{6})},
                              "z", With("group", int64_t{2}));
  b.AddOutput(BatchNorm(z, 6, "bn"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph fused, Optimize(graph));
  EXPECT_THAT(Types(fused), ElementsAre("ConvTranspose"));
  ExpectClose(graph, fused, Random(Shape{2, 4, 3, 3}, 99));
}

TEST_F(Passes, BatchNormalizationFoldsIntoAGemm) {
  for (const bool transposed : {false, true}) {
    b = GraphBuilder();
    const ValueId w = Weights("w", transposed ? Shape{5, 7} : Shape{7, 5});
    const ValueId z = b.AddNode("Gemm", {Input({7}), w, Weights("c", Shape{5})}, "z",
                                With("transB", int64_t{transposed ? 1 : 0}));
    b.AddOutput(BatchNorm(z, 5, "bn"));
    const Graph graph = Built();
    ASSERT_OK_AND_ASSIGN(const Graph fused, Optimize(graph));
    EXPECT_THAT(Types(fused), ElementsAre("Gemm"));
    ExpectClose(graph, fused, Random(Shape{4, 7}, 99));
  }
}

TEST_F(Passes, ABatchNormalizationThatDoesNotFitStaysToBeReported) {
  const ValueId z = b.AddNode("Gemm", {Input({7}), Weights("w", Shape{7, 5})}, "z");
  b.AddOutput(BatchNorm(z, 4, "bn"));
  ASSERT_OK_AND_ASSIGN(const Graph same, FoldBatchNorm(Built()));
  EXPECT_THAT(Types(same), ElementsAre("Gemm", "BatchNormalization"));
}

TEST_F(Passes, AConvolutionsBiasMayBeAnAdd) {
  const ValueId z = b.AddNode("Conv", {Input({2, 4, 4}), Weights("w", Shape{3, 2, 2, 2})}, "z");
  b.AddOutput(b.AddNode("Add", {z, Weights("bias", Shape{1, 3, 1, 1})}, "y"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph fused, FuseBias(graph));
  EXPECT_THAT(Types(fused), ElementsAre("Conv"));
  ExpectSameBits(graph, fused, Random(Shape{2, 2, 4, 4}, 99));
}

// torch's Threshold(t, v), both ways that it is exported.
TEST_F(Passes, AThresholdIsPartOfTheConvolution) {
  for (const bool greater : {true, false}) {
    b = GraphBuilder();
    const ValueId z = b.AddNode("Conv", {Input({2, 4, 4}), Weights("w", Shape{3, 2, 2, 2})}, "z");
    const ValueId t = b.AddConstant("t", Tensor::Of<float>(Shape{1}, {0.1F}));
    const ValueId v = b.AddConstant("v", Tensor::Of<float>(Shape{1}, {-3.0F}));
    const ValueId which = b.AddNode(greater ? "Greater" : "LessOrEqual", {z, t}, "which");
    b.AddOutput(greater ? b.AddNode("Where", {which, z, v}, "y")
                        : b.AddNode("Where", {which, v, z}, "y"));
    const Graph graph = Built();
    ASSERT_OK_AND_ASSIGN(const Graph fused, FuseActivation(graph));
    EXPECT_THAT(Types(fused), ElementsAre("sigserve.Conv"));
    Tensor x = Random(Shape{2, 2, 4, 4}, 99);
    x.mutable_values<float>()[5] = NAN;
    ExpectSameBits(graph, fused, x);
  }
}

TEST_F(Passes, SoIsAThresholdWhoseOtherValueFillsATensor) {
  for (const bool others_shape : {false, true}) {
    SCOPED_TRACE(others_shape);
    b = GraphBuilder();
    const ValueId x = Input({2, 4, 4});
    const ValueId z = b.AddNode("Conv", {x, Weights("w", Shape{2, 2, 1, 1})}, "z");
    const ValueId t = b.AddConstant("t", Tensor::Of<float>(Shape{}, {0.1F}));
    const ValueId which = b.AddNode("LessOrEqual", {z, t}, "which");
    const ValueId shape = b.AddNode("Shape", {others_shape ? x : z}, "shape");
    const auto value = std::make_shared<const Tensor>(Tensor::Of<float>(Shape{1}, {-3.0F}));
    const ValueId fill = b.AddNode("ConstantOfShape", {shape}, "fill", With("value", value));
    b.AddOutput(b.AddNode("Where", {which, fill, z}, "y"));
    const Graph graph = Built();
    ASSERT_OK_AND_ASSIGN(const Graph fused, FuseActivation(graph));
    if (others_shape) {
      EXPECT_EQ(Types(fused), Types(graph));
      continue;
    }
    EXPECT_THAT(Types(fused), ElementsAre("sigserve.Conv"));
    ExpectSameBits(graph, fused, Random(Shape{2, 2, 4, 4}, 99));
  }
}

TEST_F(Passes, AThresholdOfWhatOthersReadStays) {
  const ValueId z = b.AddNode("Conv", {Input({2, 4, 4}), Weights("w", Shape{2, 2, 1, 1})}, "z");
  const ValueId t = b.AddConstant("t", Tensor::Of<float>(Shape{}, {0.1F}));
  const ValueId v = b.AddConstant("v", Tensor::Of<float>(Shape{}, {-3.0F}));
  const ValueId y = b.AddNode("Where", {b.AddNode("Greater", {z, t}, "which"), z, v}, "y");
  b.AddOutput(b.AddNode("Add", {y, z}, "sum"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph same, FuseActivation(graph));
  EXPECT_EQ(Types(same), Types(graph));
}

TEST_F(Passes, AClipIsPartOfTheConvolution) {
  const ValueId z = b.AddNode("Conv", {Input({2, 4, 4}), Weights("w", Shape{3, 2, 2, 2})}, "z");
  const ValueId low = b.AddConstant("low", Tensor::Of<float>(Shape{}, {0}));
  const ValueId high = b.AddConstant("high", Tensor::Of<float>(Shape{}, {6}));
  b.AddOutput(b.AddNode("Clip", {z, low, high}, "y"));
  const Graph graph = Built();
  ASSERT_OK_AND_ASSIGN(const Graph fused, FuseActivation(graph));
  EXPECT_THAT(Types(fused), ElementsAre("sigserve.Conv"));
  ExpectSameBits(graph, fused, Random(Shape{2, 2, 4, 4}, 99));
}

TEST_F(Passes, LogOfSigmoidKeepsItsPrecisionFarFromZero) {
  const ValueId s = b.AddNode("Sigmoid", {Input({3})}, "s");
  b.AddOutput(b.AddNode("Log", {s}, "y"));
  ASSERT_OK_AND_ASSIGN(const Graph stable, Optimize(Built()));
  EXPECT_THAT(Types(stable), ElementsAre("sigserve.LogSigmoid"));
  EXPECT_EQ(stable.value(stable.outputs()[0]).name, "y");
  EXPECT_THAT(Evaluate(stable, Tensor::Of<float>(Shape{1, 3}, {-1000, 0, 30})),
              ElementsAre(FloatEq(-1000), FloatEq(-0.693147181F), FloatEq(-9.35762297e-14F)));
}

TEST_F(Passes, ASigmoidThatOthersReadStaysBesideItsLogarithm) {
  const ValueId s = b.AddNode("Sigmoid", {Input({3})}, "s");
  b.AddOutput(b.AddNode("Log", {s}, "y"));
  b.AddOutput(s);
  ASSERT_OK_AND_ASSIGN(const Graph stable, Optimize(Built()));
  EXPECT_THAT(Types(stable), ElementsAre("Sigmoid", "sigserve.LogSigmoid"));
}

}  // namespace
}  // namespace sigserve
