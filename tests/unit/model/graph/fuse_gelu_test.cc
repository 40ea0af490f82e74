// What becomes Gelu and what does not.
#include "model/graph/passes/fuse_gelu.h"

#include "model/base/status_macros.h"
#include "model/graph/passes/remove_dead_nodes.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

struct Written {
  const char* name;
  float root = 1.41421356F;
  bool halves_first = false;
  bool other_x = false;
};

/// The operators left of x * (Erf(x / root) + 1) * 0.5.
absl::StatusOr<std::vector<std::string>> Fused(const Written& w) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", {DType::kFloat32, false, Shape{-1}});
  const ValueId other = b.AddInput("other", {DType::kFloat32, false, Shape{-1}});
  const ValueId root = b.AddConstant("root", Tensor::Of<float>({}, {w.root}));
  const ValueId one = b.AddConstant("one", Tensor::Of<float>({}, {1}));
  const ValueId half = b.AddConstant("half", Tensor::Of<float>({}, {0.5F}));
  const ValueId erf = b.AddNode("Erf", {b.AddNode("Div", {x, root}, "scaled")}, "erf");
  const ValueId sum = b.AddNode("Add", {erf, one}, "sum");
  const ValueId factor = w.other_x ? other : x;
  const ValueId inner = w.halves_first ? b.AddNode("Mul", {half, factor}, "inner")
                                       : b.AddNode("Mul", {factor, sum}, "inner");
  b.AddOutput(b.AddNode("Mul", {inner, w.halves_first ? sum : half}, "y"));
  SIGSERVE_ASSIGN_OR_RETURN(const Graph graph, std::move(b).Build());
  SIGSERVE_ASSIGN_OR_RETURN(const Graph fused, FuseGelu(graph));
  SIGSERVE_ASSIGN_OR_RETURN(const Graph alive, RemoveDeadNodes(fused));
  std::vector<std::string> types;
  for (const Node& node : alive.nodes()) types.push_back(node.spec.op_type);
  return types;
}

TEST(FuseGelu, KnowsItInEveryOrder) {
  for (const Written& w : {Written{"PyTorch"}, Written{"halves first", 1.41421356F, true}}) {
    SCOPED_TRACE(w.name);
    ASSERT_OK_AND_ASSIGN(const auto types, Fused(w));
    EXPECT_THAT(types, testing::ElementsAre("Gelu"));
  }
}

TEST(FuseGelu, LeavesOthersAlone) {
  for (const Written& w :
       {Written{"another root", 1.5F}, Written{"another x", 1.41421356F, false, true}}) {
    SCOPED_TRACE(w.name);
    ASSERT_OK_AND_ASSIGN(const auto types, Fused(w));
    EXPECT_THAT(types, testing::ElementsAre("Div", "Erf", "Add", "Mul", "Mul"));
  }
}

}  // namespace
}  // namespace sigserve
