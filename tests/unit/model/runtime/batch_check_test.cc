// Models that a batch changes, small ones and those that count as slow: each must be found out.
#include "model/runtime/batch_check.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "model/graph/graph.h"
#include "tests/support/random_tensor.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing_support::Random;

constexpr int64_t kFewWeights = 1000;
constexpr int64_t kManyWeights = int64_t{65} << 20;

DeclaredType Rows(int64_t width) {
  DeclaredType type;
  type.shape = Shape{-1, width};
  return type;
}

// x -> hidden -> what mixes -> one sigmoid. `op`: with its axis or axes set to 0; empty for none.
std::shared_ptr<const Executable> Net(const std::string& activation, const std::string& op) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", Rows(6));
  ValueId z = b.AddNode("MatMul", {x, b.AddConstant("w1", Random(Shape{6, 8}, 1))}, "hidden");
  z = b.AddNode(activation, {z}, "active");
  Attributes attributes;
  if (op == "CumSum") {
    z = b.AddNode(op, {z, b.AddConstant("axis", Tensor::Of<int64_t>(Shape{}, {0}))}, "mixed");
  } else if (op == "Softmax") {
    EXPECT_OK(attributes.Add("axis", int64_t{0}));
    z = b.AddNode(op, {z}, "mixed", attributes);
  } else if (!op.empty()) {
    EXPECT_OK(attributes.Add("axes", std::vector<int64_t>{0}));
    EXPECT_OK(attributes.Add("keepdims", int64_t{1}));
    z = b.AddNode("Sub", {z, b.AddNode(op, {z}, "of_all", attributes)}, "mixed");
  }
  z = b.AddNode("MatMul", {z, b.AddConstant("w2", Random(Shape{8, 1}, 2))}, "z");
  b.AddOutput(b.AddNode("Sigmoid", {z}, "y"));
  auto graph = std::move(b).Build();
  EXPECT_OK(graph.status());
  auto executable = Executable::Compile(*graph);
  EXPECT_OK(executable.status());
  return *executable;
}

TEST(RowsAreIndependentTest, OnlyWhereNothingMixesThem) {
  for (const std::string activation : {"Relu", "Tanh"}) {
    for (const std::string op : {"", "CumSum", "Softmax", "ReduceMean", "ReduceMax", "ReduceMin"}) {
      for (const int64_t weights : {kFewWeights, kManyWeights}) {
        EXPECT_EQ(RowsAreIndependent(Net(activation, op), weights), op.empty())
            << activation << " " << op << " with " << weights << " bytes of weights";
      }
    }
  }
}

}  // namespace
}  // namespace sigserve
