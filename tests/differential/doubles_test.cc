// A graph of FLOAT64, as scikit-learn's exporters may write it, through every rewrite of graphs
// (model/graph/passes): within FLOAT32's precision of the same graph in FLOAT32.
#include <cmath>
#include <random>

#include "model/graph/graph.h"
#include "model/runtime/session.h"
#include "tests/support/status_matchers.h"

namespace sigserve {
namespace {

constexpr int64_t kRows = 5;

class Net {
 public:
  explicit Net(DType dtype) : dtype_(dtype) {
    x_ = builder_.AddInput("x", {.dtype = dtype, .shape = Shape{-1, 7}});
  }

  ValueId Weights(Shape shape) {
    return builder_.AddConstant(builder_.UniqueName("w"), Random(std::move(shape)));
  }
  ValueId Add(const std::string& op, std::vector<ValueId> inputs) {
    return builder_.AddNode(op, std::move(inputs), builder_.UniqueName(op), Attributes());
  }

  /// Matrices with their biases, activations behind them, and the logarithm of a sigmoid.
  Graph Build() {
    ValueId h = Add("MatMul", {x_, Weights({7, 6})});
    h = Add("Relu", {Add("Add", {h, Weights({6})})});
    h = Add("Relu", {Add("Gemm", {h, Weights({6, 5}), Weights({5})})});
    h = Add("Tanh", {Add("Gemm", {h, Weights({5, 4})})});
    h = Add("MatMul", {h, Weights({4, 3})});
    builder_.AddOutput(Add("Sigmoid", {h}));
    builder_.AddOutput(Add("Log", {Add("Sigmoid", {Add("Sub", {h, Weights({3})})})}));
    builder_.AddOutput(Add("Softmax", {Add("Mul", {h, Weights({1})})}));
    auto graph = std::move(builder_).Build();
    EXPECT_OK(graph);
    return *std::move(graph);
  }

  Tensor Random(Shape shape) {
    Tensor tensor(dtype_, std::move(shape));
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      const auto value = std::normal_distribution<float>(0, 1)(random_);
      if (dtype_ == DType::kFloat32) {
        tensor.mutable_values<float>()[static_cast<size_t>(i)] = value;
      } else {
        tensor.mutable_values<double>()[static_cast<size_t>(i)] = value;
      }
    }
    return tensor;
  }

 private:
  const DType dtype_;
  std::mt19937 random_{11};
  GraphBuilder builder_;
  ValueId x_ = kNoValue;
};

TEST(Doubles, AgreeWithFloats) {
  Net floats(DType::kFloat32);
  Net doubles(DType::kFloat64);
  ASSERT_OK_AND_ASSIGN(const auto narrow, Executable::Compile(floats.Build()));
  ASSERT_OK_AND_ASSIGN(const auto wide, Executable::Compile(doubles.Build()));
  EXPECT_TRUE(wide->signature().batchable);
  Session narrow_session(narrow);
  Session wide_session(wide);
  const Tensor narrow_rows = floats.Random({kRows, 7});
  const Tensor wide_rows = doubles.Random({kRows, 7});
  ASSERT_OK(narrow_session.Run({narrow_rows.view()}));
  ASSERT_OK(wide_session.Run({wide_rows.view()}));
  for (int output = 0; output < 3; ++output) {
    const auto expected = narrow_session.output(output).values<float>();
    const auto got = wide_session.output(output).values<double>();
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], expected[i], 1e-5) << "output " << output << ", element " << i;
    }
  }
}

}  // namespace
}  // namespace sigserve
