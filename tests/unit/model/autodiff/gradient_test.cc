// Backward rules against central differences of Forward, for every operator with a gradient.
#include <cmath>
#include <random>

#include "model/autodiff/gradient_table.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/model/ops/op_runner.h"

namespace sigserve {
namespace {

struct Case {
  const char* name;
  OpRunner op;
  std::vector<Shape> inputs;
};

OpRunner Gemm(float alpha, float beta, int64_t transpose_a, int64_t transpose_b) {
  return OpRunner("Gemm", 13)
      .With("alpha", alpha)
      .With("beta", beta)
      .With("transA", transpose_a)
      .With("transB", transpose_b);
}

std::vector<Case> Cases() {
  return {
      {"add", OpRunner("Add", 14), {{3, 4}, {3, 4}}},
      {"add row", OpRunner("Add", 14), {{3, 4}, {4}}},
      {"add column", OpRunner("Add", 14), {{3, 1}, {3, 4}}},
      {"sub scalar", OpRunner("Sub", 14), {{2, 3}, {}}},
      {"sub from scalar", OpRunner("Sub", 14), {{}, {2, 3}}},
      {"mul both broadcast", OpRunner("Mul", 14), {{3, 1, 2}, {4, 1}}},
      {"mul", OpRunner("Mul", 14), {{5}, {5}}},
      {"div row", OpRunner("Div", 14), {{3, 4}, {4}}},
      {"div by matrix", OpRunner("Div", 14), {{4}, {3, 4}}},
      {"relu", OpRunner("Relu", 14), {{3, 7}}},
      {"tanh", OpRunner("Tanh", 13), {{3, 7}}},
      {"sigmoid", OpRunner("Sigmoid", 13), {{3, 7}}},
      {"identity", OpRunner("Identity", 14), {{2, 3}}},
      {"flatten", OpRunner("Flatten", 13), {{2, 3, 2}}},
      {"softmax of rows", OpRunner("Softmax", 11), {{2, 3, 2}}},
      {"softmax", OpRunner("Softmax", 13), {{3, 4}}},
      {"softmax across", OpRunner("Softmax", 13).With("axis", int64_t{0}), {{3, 4}}},
      {"log-softmax", OpRunner("LogSoftmax", 13), {{3, 4}}},
      {"gemm", OpRunner("Gemm", 13), {{3, 4}, {4, 5}, {5}}},
      {"gemm without C", OpRunner("Gemm", 13), {{3, 4}, {4, 5}}},
      {"gemm torch linear", Gemm(1, 1, 0, 1), {{3, 4}, {5, 4}, {5}}},
      {"gemm all settings", Gemm(0.5F, 2, 1, 1), {{4, 3}, {5, 4}, {3, 1}}},
      {"gemm transposed A, scalar C", Gemm(2, 0.25F, 1, 0), {{4, 3}, {4, 5}, {}}},
      {"gemm full C", OpRunner("Gemm", 13), {{2, 3}, {3, 4}, {2, 4}}},
      {"matmul", OpRunner("MatMul", 13), {{3, 4}, {4, 5}}},
      {"matmul batch", OpRunner("MatMul", 13), {{2, 3, 4}, {4, 5}}},
      {"matmul batches broadcast", OpRunner("MatMul", 13), {{2, 1, 3, 4}, {3, 4, 2}}},
      {"matmul vectors", OpRunner("MatMul", 13), {{4}, {4}}},
      {"matmul row", OpRunner("MatMul", 13), {{4}, {4, 3}}},
      {"matmul column", OpRunner("MatMul", 13), {{3, 4}, {4}}},
  };
}

// Away from zero, where Relu has a corner and Div a pole.
Tensor Random(const Shape& shape, std::mt19937& rng) {
  Tensor t(DType::kFloat32, shape);
  std::uniform_real_distribution<float> size(0.25F, 1.5F);
  for (float& v : t.mutable_values<float>()) {
    v = (rng() & 1U) != 0 ? size(rng) : -size(rng);
  }
  return t;
}

// sum(out * weights), so that its gradient by `out` is `weights`.
double Loss(const OpRunner& op, const std::vector<TensorView>& in, const Tensor& weights) {
  const auto out = op.Run(in);
  double sum = 0;
  for (size_t i = 0; i < weights.values<float>().size(); ++i) {
    sum += double{out->values<float>()[i]} * weights.values<float>()[i];
  }
  return sum;
}

TEST(Gradient, MatchesCentralDifferences) {
  std::mt19937 rng(7);
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    std::vector<Tensor> tensors;
    std::vector<TensorView> in;
    for (const Shape& shape : c.inputs) {
      tensors.push_back(Random(shape, rng));
    }
    for (const Tensor& t : tensors) {
      in.push_back(t.view());
    }
    ASSERT_OK_AND_ASSIGN(const BackwardRule backward, MakeBackwardRule(c.op.node));
    ASSERT_OK_AND_ASSIGN(const Tensor out, c.op.Run(in));
    const Tensor weights = Random(out.shape(), rng);

    // Rules add: start from 1 to see it.
    std::vector<Tensor> gradients;
    std::vector<MutableTensorView> grad_in;
    for (const Tensor& t : tensors) {
      gradients.emplace_back(DType::kFloat32, t.shape());
      for (float& v : gradients.back().mutable_values<float>()) {
        v = 1;
      }
    }
    for (Tensor& g : gradients) {
      grad_in.push_back(g.mutable_view());
    }
    backward({in, {out.view()}, {weights.view()}, grad_in});

    for (size_t i = 0; i < tensors.size(); ++i) {
      for (size_t j = 0; j < tensors[i].values<float>().size(); ++j) {
        float& x = tensors[i].mutable_values<float>()[j];
        const float at = x;
        x = at + 0.01F;
        const double high = x;
        const double up = Loss(c.op, in, weights);
        x = at - 0.01F;
        const double low = x;
        const double down = Loss(c.op, in, weights);
        x = at;
        const double expected = (up - down) / (high - low);
        EXPECT_NEAR(gradients[i].values<float>()[j] - 1, expected, 3e-3 * (1 + std::abs(expected)))
            << "input " << i << ", element " << j;
      }
    }
  }
}

TEST(Gradient, LeavesOutWhatNobodyNeeds) {
  std::mt19937 rng(8);
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    std::vector<Tensor> tensors;
    std::vector<TensorView> in;
    for (const Shape& shape : c.inputs) {
      tensors.push_back(Random(shape, rng));
    }
    for (const Tensor& t : tensors) {
      in.push_back(t.view());
    }
    ASSERT_OK_AND_ASSIGN(const BackwardRule backward, MakeBackwardRule(c.op.node));
    ASSERT_OK_AND_ASSIGN(const Tensor out, c.op.Run(in));
    const std::vector<MutableTensorView> none(in.size());
    backward({in, {out.view()}, {out.view()}, none});  // a write would crash
  }
}

}  // namespace
}  // namespace sigserve
