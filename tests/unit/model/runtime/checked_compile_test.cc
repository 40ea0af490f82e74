// Numerics that are not exact: what they change, that it is noticed, and what they leave alone.
#include "model/runtime/checked_compile.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "model/runtime/session.h"
#include "tests/support/random_tensor.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing_support::Random;

constexpr Numerics kBf16{Precision::kBf16, false};

/// x [N,40] -> 40x24 -> Relu -> 24x3 -> Sigmoid
Graph Mlp() {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", {.shape = Shape{-1, 40}});
  const ValueId w0 = b.AddConstant("w0", Random(Shape{40, 24}, 1));
  const ValueId b0 = b.AddConstant("b0", Random(Shape{24}, 2));
  const ValueId w1 = b.AddConstant("w1", Random(Shape{24, 3}, 3));
  const ValueId h = b.AddNode("Relu", {b.AddNode("Gemm", {x, w0, b0}, "z0")}, "h");
  b.AddOutput(b.AddNode("Sigmoid", {b.AddNode("MatMul", {h, w1}, "z1")}, "y"));
  return *std::move(b).Build();
}

std::vector<float> OutputOf(const std::shared_ptr<const Executable>& executable,
                            const TensorView& x) {
  Session session(executable);
  EXPECT_OK(session.Run({&x, 1}));
  const auto y = session.output(0).values<float>();
  return {y.begin(), y.end()};
}

TEST(CompileChecked, TellsHowMuchChanges) {
  ASSERT_OK_AND_ASSIGN(const CheckedExecutable checked, CompileChecked(Mlp(), kBf16, {}, 1));
  EXPECT_GT(checked.change, 1e-6);  // or nothing was done
  EXPECT_LT(checked.change, 0.1);
  EXPECT_EQ(checked.output, "y");
}

TEST(CompileChecked, RefusesWhatChangesTooMuch) {
  EXPECT_THAT(CompileChecked(Mlp(), kBf16, {}, 1e-9),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("output 'y' changes by up to 0.0"),
                             HasSubstr("on random inputs, more than 1e-09"))));
}

TEST(CompileChecked, ComparesOnTheSample) {
  std::vector<Tensor> sample;
  sample.push_back(Tensor(DType::kFloat32, Shape{5, 40}));  // zeros: nothing to round
  ASSERT_OK_AND_ASSIGN(const CheckedExecutable checked, CompileChecked(Mlp(), kBf16, sample, 0.5));
  const double of_zeros = checked.change;
  sample[0] = Random(Shape{5, 40}, 9);
  ASSERT_OK_AND_ASSIGN(const CheckedExecutable other, CompileChecked(Mlp(), kBf16, sample, 0.5));
  EXPECT_NE(other.change, of_zeros);
  EXPECT_THAT(CompileChecked(Mlp(), kBf16, sample, 0),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("on the sample")));
}

TEST(CompileChecked, RefusesASampleThatDoesNotFit) {
  std::vector<Tensor> sample;
  sample.push_back(Tensor(DType::kFloat32, Shape{5, 41}));
  EXPECT_THAT(CompileChecked(Mlp(), kBf16, sample, 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the sample: ")));
}

TEST(CompileChecked, ANewInfinityIsTooMuch) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", {.shape = Shape{-1, 16}});
  Tensor weights(DType::kFloat32, Shape{16, 8});
  weights.mutable_values<float>()[0] = std::numeric_limits<float>::max();  // rounds to infinity
  const ValueId w = b.AddConstant("w", std::move(weights));
  b.AddOutput(b.AddNode("MatMul", {x, w}, "y"));
  const Graph graph = *std::move(b).Build();
  std::vector<Tensor> sample;
  sample.push_back(Tensor::Of<float>(Shape{1, 16}, std::vector<float>(16, 1)));
  EXPECT_THAT(CompileChecked(graph, kBf16, sample, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("by up to inf")));
}

// Whatever the outputs turn out to be, they are compared as that.
TEST(CompileChecked, OutputsThatAreNoFloatsAreNotReadAsSuch) {
  GraphBuilder b;  // sizes other than 40 do not run, so that nothing is known of the output
  const ValueId x = b.AddInput("x", {.shape = Shape{-1, -1}});
  const ValueId w = b.AddConstant("w", Random(Shape{40, 16}, 1));
  const ValueId zero = b.AddConstant("zero", Tensor::Of<float>(Shape{}, {0}));
  const ValueId z = b.AddNode("MatMul", {x, w}, "z");
  b.AddOutput(b.AddNode("Greater", {z, zero}, "y"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(b).Build());
  std::vector<Tensor> sample;
  sample.push_back(Random(Shape{1000, 40}, 9));
  EXPECT_THAT(CompileChecked(graph, kBf16, sample, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("nothing to compare")));
}

TEST(CompileChecked, HasSomethingToCompare) {
  std::vector<Tensor> sample;
  sample.push_back(Tensor(DType::kFloat32, Shape{0, 40}));
  EXPECT_FALSE(CompileChecked(Mlp(), kBf16, sample, 1).ok()) << "no rows";
  Tensor nan(DType::kFloat32, Shape{3, 40});
  for (float& value : nan.mutable_values<float>()) value = std::nanf("");
  sample[0] = std::move(nan);
  EXPECT_THAT(CompileChecked(Mlp(), kBf16, sample, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("nothing to compare")));
}

TEST(CompileChecked, ComparesDoublesToo) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", {.shape = Shape{-1, 40}});
  const ValueId w = b.AddConstant("w", Random(Shape{40, 16}, 1));
  Attributes to_double;
  ASSERT_OK(to_double.Add("to", int64_t{11}));
  const ValueId y = b.AddNode("Sigmoid", {b.AddNode("MatMul", {x, w}, "z")}, "s");
  b.AddOutput(b.AddNode("Cast", {y}, "y", to_double));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(b).Build());
  ASSERT_OK_AND_ASSIGN(const CheckedExecutable checked, CompileChecked(graph, kBf16, {}, 1));
  EXPECT_GT(checked.change, 1e-6);
}

TEST(Numerics, ARowAloneHasTheSameBitsInBf16) {
  ASSERT_OK_AND_ASSIGN(const auto executable, Executable::Compile(Mlp(), {Precision::kBf16, true}));
  EXPECT_TRUE(executable->signature().batchable);
  const Tensor x = Random(Shape{30, 40}, 5);
  const std::vector<float> all = OutputOf(executable, x.view());
  for (int64_t row = 0; row < 30; ++row) {
    const TensorView one(DType::kFloat32, Shape{1, 40}, x.values<float>().data() + row * 40);
    const std::vector<float> alone = OutputOf(executable, one);
    for (size_t i = 0; i < 3; ++i) {
      const float among_others = all[static_cast<size_t>(row) * 3 + i];
      EXPECT_EQ(std::bit_cast<uint32_t>(alone[i]), std::bit_cast<uint32_t>(among_others)) << row;
    }
  }
}

TEST(Numerics, ConvolvesInBf16WithAllThatIsFused) {
  GraphBuilder b;
  const ValueId x = b.AddInput("x", {.shape = Shape{-1, 16, 5, 18}});
  const ValueId w = b.AddConstant("w", Random(Shape{16, 8, 2, 3}, 1));
  const ValueId bias = b.AddConstant("b", Random(Shape{16}, 2));
  Attributes groups;
  ASSERT_OK(groups.Add("group", int64_t{2}));
  ValueId y = b.AddNode("Conv", {x, w, bias}, "c", groups);
  Attributes window;
  ASSERT_OK(window.Add("kernel_shape", std::vector<int64_t>{1, 4}));
  ASSERT_OK(window.Add("strides", std::vector<int64_t>{1, 4}));
  y = b.AddNode("MaxPool", {b.AddNode("Relu", {y}, "r")}, "p", window);
  b.AddOutput(b.AddNode("Sigmoid", {y}, "y"));
  ASSERT_OK_AND_ASSIGN(const Graph graph, std::move(b).Build());
  ASSERT_OK_AND_ASSIGN(const CheckedExecutable checked, CompileChecked(graph, kBf16, {}, 0.02));
  EXPECT_GT(checked.change, 1e-6);
  EXPECT_TRUE(checked.executable->signature().batchable);  // a row alone has the same bits
}

TEST(Numerics, FastSigmoidKeepsItsLogits) {
  ASSERT_OK_AND_ASSIGN(const auto fast, Executable::Compile(Mlp(), {.fast_math = true}));
  ASSERT_OK_AND_ASSIGN(const auto exact, Executable::Compile(Mlp()));
  ASSERT_EQ(fast->signature().outputs[0].link, Link::kSigmoid);
  EXPECT_TRUE(fast->signature().outputs[0].has_logits);
  const Tensor x = Random(Shape{200, 40}, 6);
  const std::vector<float> a = OutputOf(fast, x.view());
  const std::vector<float> b = OutputOf(exact, x.view());
  EXPECT_NE(a, b);  // or it was not the fast one
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 5e-7 * b[i]);
}

}  // namespace
}  // namespace sigserve
