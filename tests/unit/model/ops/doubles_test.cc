// FLOAT64 where FLOAT32 has a kernel: the same numbers, to double precision.
#include <cmath>
#include <random>

#include "tests/unit/model/ops/op_cases.h"

namespace sigserve {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor ToDouble(const Tensor& x) {
  Tensor y(DType::kFloat64, x.shape());
  std::copy(x.values<float>().begin(), x.values<float>().end(), y.mutable_values<double>().begin());
  return y;
}

Tensor Random(Shape shape) {
  static std::mt19937& random = *new std::mt19937(5);
  Tensor x(DType::kFloat32, std::move(shape));
  for (float& v : x.mutable_values<float>()) v = std::normal_distribution<float>(0, 3)(random);
  return x;
}

/// With what is special at the front.
Tensor RandomAndSpecial(const Shape& shape) {
  Tensor x = Random(shape);
  const double special[] = {-kInfinity, kInfinity, NAN, 0, -200, 200, 1e-20, -1e-20};
  std::copy(std::begin(special), std::end(special), x.mutable_values<float>().begin());
  return x;
}

void ExpectAsFloats(const OpRunner& op, const std::vector<Tensor>& in) {
  std::vector<Tensor> doubles;
  for (const Tensor& x : in) doubles.push_back(ToDouble(x));
  ASSERT_OK_AND_ASSIGN(const Tensor expected, op.Run(Views(in)));
  ASSERT_OK_AND_ASSIGN(const Tensor got, op.Run(Views(doubles)));
  ASSERT_EQ(got.dtype(), DType::kFloat64);
  ASSERT_EQ(got.shape(), expected.shape());
  for (size_t i = 0; i < static_cast<size_t>(got.elements()); ++i) {
    const double a = got.values<double>()[i];
    const double b = expected.values<float>()[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    EXPECT_LE(std::abs(a - b), 1e-6 + 1e-6 * std::abs(b)) << "element " << i << ": " << a;
  }
}

TEST(Doubles, Activations) {
  std::vector<OpRunner> ops;
  for (const char* name : {"Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Relu",
                           "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh", "ThresholdedRelu"}) {
    ops.emplace_back(name, 20);
  }
  ops.push_back(OpRunner("Celu", 12).With("alpha", 2.0F));
  ops.push_back(OpRunner("Elu", 6).With("alpha", 0.5F));
  ops.push_back(OpRunner("Gelu", 20).With("approximate", std::string("tanh")));
  ops.push_back(OpRunner("HardSigmoid", 6).With("alpha", 0.1F).With("beta", 0.25F));
  ops.push_back(OpRunner("LeakyRelu", 6).With("alpha", 0.5F));
  ops.push_back(OpRunner("Selu", 6).With("gamma", 3.0F));
  ops.push_back(OpRunner("ThresholdedRelu", 10).With("alpha", -1.0F));
  ops.emplace_back("LogSigmoid", 1, kFusedDomain);
  for (const OpRunner& op : ops) {
    SCOPED_TRACE(op.node.op_type);
    ExpectAsFloats(op, In(RandomAndSpecial({100})));
  }
}

TEST(Doubles, Softmax) {
  for (const char* name : {"Softmax", "LogSoftmax"}) {
    SCOPED_TRACE(name);
    ExpectAsFloats(OpRunner(name, 13), In(Random({4, 5})));
    ExpectAsFloats(OpRunner(name, 13).With("axis", int64_t{0}), In(Random({4, 5})));
  }
}

TEST(Doubles, MatMul) {
  const OpRunner op("MatMul", 13);
  ExpectAsFloats(op, In(Random({4, 5}), Random({5, 3})));
  ExpectAsFloats(op, In(Random({2, 1, 4, 5}), Random({3, 5, 2})));
  ExpectAsFloats(op, In(Random({2, 4, 5}), Random({5, 2})));
  ExpectAsFloats(op, In(Random({5}), Random({5, 3})));
  ExpectAsFloats(op, In(Random({4, 5}), Random({5})));
  OpRunner relu("MatMul", 1, kFusedDomain);
  relu.With("activation", std::string("Relu"));
  ExpectAsFloats(relu, In(Random({4, 5}), Random({5, 3})));
}

TEST(Doubles, Gemm) {
  const OpRunner op("Gemm", 13);
  ExpectAsFloats(op, In(Random({4, 5}), Random({5, 3})));
  ExpectAsFloats(op, In(Random({4, 5}), Random({5, 3}), Random({3})));
  ExpectAsFloats(op, In(Random({4, 5}), Random({5, 3}), Random({4, 1})));
  OpRunner all("Gemm", 1, kFusedDomain);
  all.With("alpha", 0.5F).With("beta", -2.0F).With("transA", int64_t{1}).With("transB", int64_t{1});
  all.With("activation", std::string("Relu"));
  ExpectAsFloats(all, In(Random({5, 4}), Random({3, 5}), Random({4, 3})));
}

TEST(Doubles, AreNotRoundedToFloats) {
  const double fine = 1 + 0x1p-40;
  std::vector<OpCase> c;
  c.push_back({"", OpRunner("Gemm", 13), In(D({1, 2}, {fine, 0.5}), D({2, 1}, {1, 2}), D({1}, {1})),
               In(D({1, 1}, {fine + 2}))});
  c.push_back({"", OpRunner("MatMul", 13), In(D({1, 2}, {fine, 0.5}), D({2, 1}, {1, 2})),
               In(D({1, 1}, {fine + 1}))});
  c.push_back({"", OpRunner("Relu", 13), In(D({2}, {fine, -fine})), In(D({2}, {fine, 0}))});
  c.push_back({"", OpRunner("Sigmoid", 13), In(D({2}, {0x1p-30, -745})),
               In(D({2}, {0.5 + 0x1p-32, std::exp(-745.0)}))});
  c.push_back({"", OpRunner("Tanh", 13), In(D({1}, {0x1p-30})), In(D({1}, {std::tanh(0x1p-30)}))});
  ExpectResults(c);
}

TEST(Doubles, AreNotMixedWithFloats) {
  std::vector<OpRefusal> c;
  const auto f = [] { return F({1, 1}, {1}); };
  const auto d = [] { return D({1, 1}, {1}); };
  c.push_back({OpRunner("Gemm", 13), In(d(), f()), "A is FLOAT64, B is FLOAT32"});
  c.push_back({OpRunner("Gemm", 13), In(f(), f(), d()), "A is FLOAT32, C is FLOAT64"});
  c.push_back({OpRunner("MatMul", 13), In(f(), d()), "left is FLOAT32, right is FLOAT64"});
  c.push_back({OpRunner("MatMul", 1, kFusedDomain), In(d(), d(), D({1}, {1})),
               "left is FLOAT64, expected FLOAT32"});
  ExpectRefusals(c);
}

}  // namespace
}  // namespace sigserve
