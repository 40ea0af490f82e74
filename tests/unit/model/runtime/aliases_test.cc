// Values that share memory: models full of shape changes and elementwise nodes, against the same
// arithmetic by hand.
#include "model/runtime/aliases.h"

#include <vector>

#include "model/runtime/session.h"
#include "tests/support/declared_types.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::ElementsAre;
using testing_support::Rows;

std::vector<float> RunOnce(GraphBuilder builder, const std::vector<float>& x, int output = 0) {
  absl::StatusOr<Graph> graph = std::move(builder).Build();
  EXPECT_OK(graph);
  auto executable = Executable::Compile(*graph);
  EXPECT_OK(executable);
  Session session(*executable);
  const TensorView input(DType::kFloat32, Shape{1, static_cast<int64_t>(x.size())}, x.data());
  EXPECT_OK(session.Run({input}));
  const auto y = session.output(output).values<float>();
  return {y.begin(), y.end()};
}

class Aliasing : public testing::Test {
 protected:
  GraphBuilder b;
  ValueId x = b.AddInput("x", Rows(3));
  std::vector<float> data = {-1, 2, -3};

  ValueId Reshaped(ValueId from, absl::string_view name) {
    const ValueId shape =
        b.AddConstant(std::string(name) + "_shape", Tensor::Of<int64_t>(Shape{2}, {3, -1}));
    return b.AddNode("Reshape", {from, shape}, name);
  }
};

TEST_F(Aliasing, AShapeChangeOfTheInputIsAnAnswer) {
  b.AddOutput(b.AddNode("Flatten", {Reshaped(x, "r")}, "y"));
  EXPECT_THAT(RunOnce(std::move(b), data), ElementsAre(-1, 2, -3));
}

TEST_F(Aliasing, TheCallersInputIsNotOverwritten) {
  const ValueId relu = b.AddNode("Relu", {b.AddNode("Flatten", {x}, "f")}, "relu");
  b.AddOutput(b.AddNode("Sub", {x, relu}, "y"));
  EXPECT_THAT(RunOnce(std::move(b), data), ElementsAre(-1, 0, -3));
}

TEST_F(Aliasing, AConstantIsNotOverwritten) {
  const ValueId c = b.AddConstant("c", Tensor::Of<float>(Shape{1, 3}, {-5, 5, -5}));
  const ValueId sum = b.AddNode("Add", {x, b.AddNode("Relu", {c}, "relu")}, "sum");
  b.AddOutput(b.AddNode("Add", {sum, c}, "y"));
  EXPECT_THAT(RunOnce(std::move(b), data), ElementsAre(-6, 12, -8));
}

TEST_F(Aliasing, AValueReadLaterIsNotOverwritten) {
  const ValueId z = b.AddNode("Add", {x, x}, "z");
  const ValueId relu = b.AddNode("Relu", {z}, "relu");
  b.AddOutput(b.AddNode("Sub", {relu, z}, "y"));
  EXPECT_THAT(RunOnce(std::move(b), data), ElementsAre(2, 0, 6));
}

TEST_F(Aliasing, AValueReadLaterUnderAnotherShapeIsNotOverwritten) {
  const ValueId z = b.AddNode("Add", {x, x}, "z");
  const ValueId other = Reshaped(z, "other");
  const ValueId relu = b.AddNode("Relu", {z}, "relu");
  b.AddOutput(b.AddNode(
      "Sub", {relu, b.AddNode("Flatten", {b.AddNode("Identity", {other}, "i")}, "back")}, "y"));
  EXPECT_THAT(RunOnce(std::move(b), data),
              ElementsAre(2, 6, 2, -4, 0, -4, 6, 10, 6));  // [1,3] - [3,1]
}

TEST_F(Aliasing, AnAnswerIsNotOverwritten) {
  const ValueId z = b.AddNode("Add", {x, x}, "z");
  b.AddOutput(z);
  b.AddOutput(b.AddNode("Relu", {Reshaped(z, "r")}, "relu"));
  EXPECT_THAT(RunOnce(std::move(b), data), ElementsAre(-2, 4, -6));
}

TEST_F(Aliasing, ElementwiseNodesAndShapeChangesTakeNoMemoryOfTheirOwn) {
  ValueId z = b.AddNode("Add", {x, x}, "z");
  for (const char* name : {"a", "b", "c", "d"}) {
    z = b.AddNode("Relu", {Reshaped(z, name)}, std::string("relu_") + name);
  }
  b.AddOutput(z);
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(b).Build());
  ASSERT_OK_AND_ASSIGN(const Program program, Program::Create(graph));
  const Aliases aliases(program, graph.outputs());
  int owners = 0;
  int noops = 0;
  for (size_t s = 0; s < program.steps().size(); ++s) {
    const ValueId result = program.steps()[s].outputs[0];
    owners += aliases.owner(result) == result ? 1 : 0;
    noops += aliases.is_noop(s) ? 1 : 0;
  }
  EXPECT_EQ(owners, 1);
  EXPECT_EQ(noops, 4);
}

// More sizes than stay bound, in any order: as a session that sees each for the first time.
TEST_F(Aliasing, BatchesOfAnySizesTakeTurns) {
  b.AddOutput(b.AddNode("Relu", {b.AddNode("Add", {x, x}, "z")}, "y"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(b).Build());
  ASSERT_OK_AND_ASSIGN(const auto executable, Executable::Compile(graph));
  Session session(executable);
  std::vector<float> rows(3 * 200);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i % 7) - 3;
  for (int round = 0; round < 600; ++round) {
    const int64_t batch = round * 37 % 200 + 1;
    const float* first = rows.data() + (200 - batch) * 3;
    ASSERT_OK(session.Run({TensorView(DType::kFloat32, Shape{batch, 3}, first)}));
    const auto y = session.output(0).values<float>();
    ASSERT_EQ(y.size(), static_cast<size_t>(batch * 3));
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], std::max(0.0F, 2 * first[i]));
  }
}

}  // namespace
}  // namespace sigserve
