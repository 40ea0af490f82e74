// Operators that need scratch memory get it from the session's plan: a run allocates nothing.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "model/graph/graph.h"
#include "model/runtime/executable.h"
#include "model/runtime/session.h"
#include "tests/support/allocations/allocations.h"
#include "tests/support/random_tensor.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::Allocations;
using testing_support::Random;

struct Net {
  std::string name;
  GraphBuilder builder;
  Shape row;  // of the input, without the batch
  DType dtype = DType::kFloat32;
};

DeclaredType BatchOf(const Shape& row) {
  DeclaredType type;
  type.shape = Shape{-1};
  for (const int64_t size : row.dims()) type.shape.push_back(size);
  return type;
}

Net Recurrent(const std::string& type, int64_t gates) {
  Net net{type, {}, {5, 3}};
  Attributes attributes;
  EXPECT_OK(attributes.Add("hidden_size", int64_t{4}));
  EXPECT_OK(attributes.Add("layout", int64_t{1}));
  GraphBuilder& b = net.builder;
  const ValueId x = b.AddInput("x", BatchOf(net.row));
  const ValueId w = b.AddConstant("w", Random(Shape{1, gates * 4, 3}, 1));
  const ValueId r = b.AddConstant("r", Random(Shape{1, gates * 4, 4}, 2));
  b.AddOutput(b.AddNode(type, {x, w, r}, "y", std::move(attributes)));
  return net;
}

// `classes` with one support vector each.
Net SvmClassifier(const std::string& name, size_t classes, size_t features, bool probabilities) {
  Net net{name, {}, {static_cast<int64_t>(features)}};
  const size_t pairs = classes * (classes - 1) / 2;
  std::vector<int64_t> labels(classes);
  for (size_t c = 0; c < classes; ++c) labels[c] = static_cast<int64_t>(c);
  NodeSpec spec;
  spec.domain = "ai.onnx.ml";
  spec.op_type = "SVMClassifier";
  spec.opset = 1;
  Attributes& a = spec.attributes;
  EXPECT_OK(a.Add("kernel_type", std::string("RBF")));
  EXPECT_OK(a.Add("kernel_params", std::vector<float>{0.5F, 0, 0}));
  EXPECT_OK(a.Add("classlabels_ints", labels));
  EXPECT_OK(a.Add("vectors_per_class", std::vector<int64_t>(classes, 1)));
  EXPECT_OK(a.Add("support_vectors", std::vector<float>(classes * features, 0.25F)));
  EXPECT_OK(a.Add("coefficients", std::vector<float>(classes * (classes - 1), 1)));
  EXPECT_OK(a.Add("rho", std::vector<float>(pairs, 0.5F)));
  if (probabilities) {
    EXPECT_OK(a.Add("prob_a", std::vector<float>(pairs, -1)));
    EXPECT_OK(a.Add("prob_b", std::vector<float>(pairs, 0)));
  }
  GraphBuilder& b = net.builder;
  const ValueId x = b.AddInput("x", BatchOf(net.row));
  const ValueId label = b.ValueNamed("label");
  const ValueId scores = b.ValueNamed("scores");
  b.AddNode(std::move(spec), {x}, {label, scores});
  b.AddOutput(label);
  b.AddOutput(scores);
  return net;
}

// The weights follow from the input: they are packed in each run.
Net ConvOfComputedWeights(const std::string& type) {
  Net net{type, {}, {2, 5, 5}};
  GraphBuilder& b = net.builder;
  const ValueId x = b.AddInput("x", BatchOf(net.row));
  Attributes sum;
  EXPECT_OK(sum.Add("keepdims", int64_t{1}));
  const ValueId scale = b.AddNode("ReduceMax", {x}, "scale", std::move(sum));
  const ValueId w = b.AddConstant("w", Random(Shape{2, 2, 3, 3}, 3));
  b.AddOutput(b.AddNode(type, {x, b.AddNode("Mul", {w, scale}, "scaled")}, "y"));
  return net;
}

// Whole numbers are converted before the trees test them.
Net TreesOfWholeNumbers() {
  Net net{"Trees", {}, {3}, DType::kInt64};
  NodeSpec spec;
  spec.domain = "ai.onnx.ml";
  spec.op_type = "TreeEnsembleRegressor";
  spec.opset = 1;
  Attributes& a = spec.attributes;
  EXPECT_OK(a.Add("nodes_modes", std::vector<std::string>{"BRANCH_LEQ", "LEAF", "LEAF"}));
  EXPECT_OK(a.Add("nodes_values", std::vector<float>{0, 0, 0}));
  EXPECT_OK(a.Add("nodes_treeids", std::vector<int64_t>{0, 0, 0}));
  EXPECT_OK(a.Add("nodes_nodeids", std::vector<int64_t>{0, 1, 2}));
  EXPECT_OK(a.Add("nodes_featureids", std::vector<int64_t>{2, 0, 0}));
  EXPECT_OK(a.Add("nodes_truenodeids", std::vector<int64_t>{1, 0, 0}));
  EXPECT_OK(a.Add("nodes_falsenodeids", std::vector<int64_t>{2, 0, 0}));
  EXPECT_OK(a.Add("target_ids", std::vector<int64_t>{0, 0}));
  EXPECT_OK(a.Add("target_nodeids", std::vector<int64_t>{1, 2}));
  EXPECT_OK(a.Add("target_treeids", std::vector<int64_t>{0, 0}));
  EXPECT_OK(a.Add("target_weights", std::vector<float>{1, 2}));
  GraphBuilder& b = net.builder;
  DeclaredType type = BatchOf(net.row);
  type.dtype = net.dtype;
  const ValueId x = b.AddInput("x", type);
  const ValueId y = b.ValueNamed("y");
  b.AddNode(std::move(spec), {x}, {y});
  b.AddOutput(y);
  return net;
}

std::vector<Net> Nets() {
  std::vector<Net> nets;
  nets.push_back(Recurrent("LSTM", 4));
  nets.push_back(Recurrent("GRU", 3));
  nets.push_back(Recurrent("RNN", 1));
  nets.push_back(SvmClassifier("SVM", 3, 4, false));
  nets.push_back(SvmClassifier("SVM with probabilities", 3, 4, true));
  nets.push_back(SvmClassifier("SVM of many features", 2, 100, false));
  nets.push_back(TreesOfWholeNumbers());
  nets.push_back(ConvOfComputedWeights("Conv"));
  nets.push_back(ConvOfComputedWeights("ConvTranspose"));
  return nets;
}

TEST(Workspace, ARunAllocatesNothingOnceItHasSeenABatch) {
  for (Net& net : Nets()) {
    SCOPED_TRACE(net.name);
    ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(net.builder).Build());
    ASSERT_OK_AND_ASSIGN(const auto executable, Executable::Compile(graph));
    Session session(executable);
    std::vector<Tensor> batches;
    for (const int64_t rows : {64, 1, 3, 17, 2}) {
      Shape shape{rows};
      for (const int64_t size : net.row.dims()) shape.push_back(size);
      batches.push_back(net.dtype == DType::kFloat32 ? Random(shape, static_cast<uint32_t>(rows))
                                                     : Tensor(net.dtype, shape));
      ASSERT_OK(session.Run({batches.back().view()}));
    }
    std::vector<TensorView> views;
    for (const Tensor& batch : batches) views.push_back(batch.view());
    const int64_t before = Allocations();
    bool ok = true;
    for (const TensorView& view : views) ok = ok && session.Run({view}).ok();
    EXPECT_EQ(Allocations() - before, 0);
    EXPECT_TRUE(ok);
  }
}

}  // namespace
}  // namespace sigserve
