// Activations with attributes: which attribute does what, and its default. How exact they are:
// tests/unit/model/kernels/activation_test.cc.
#include "tests/unit/model/ops/op_cases.h"

namespace sigserve {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(Activations, AttributesAndDefaults) {
  std::vector<OpCase> c;
  const auto add = [&](const char* name, OpRunner op, std::vector<float> x, std::vector<float> y) {
    const Shape shape{static_cast<int64_t>(x.size())};
    c.push_back({name, std::move(op), In(F(shape, x)), In(F(shape, y))});
  };
  const auto alpha = [](const char* op, int opset, float value) {
    return OpRunner(op, opset).With("alpha", value);
  };
  add("default", OpRunner("Elu", 6), {-1, 2}, {-0.63212056F, 2});
  add("alpha", alpha("Elu", 6, 2), {-1, 2}, {-1.2642411F, 2});
  add("default", OpRunner("Selu", 6), {-1, 2}, {-1.1113307F, 2.101402F});
  add("gamma", alpha("Selu", 6, 2).With("gamma", 3.0F), {-1, 2}, {-3.7927234F, 6});
  add("alpha", alpha("Celu", 12, 2), {-2, 2}, {-1.2642411F, 2});
  add("default", OpRunner("LeakyRelu", 16), {-1, 2, kNaN}, {-0.01F, 2, kNaN});
  add("alpha", alpha("LeakyRelu", 6, 0.5F), {-1, 2}, {-0.5F, 2});
  add("default", OpRunner("ThresholdedRelu", 10), {1, 1.5F}, {0, 1.5F});
  add("alpha", alpha("ThresholdedRelu", 10, -1), {-2, -0.5F}, {0, -0.5F});
  add("default", OpRunner("HardSigmoid", 6), {-3, 1, 3}, {0, 0.7F, 1});
  add("both", alpha("HardSigmoid", 6, 0.25F).With("beta", 0.25F), {1}, {0.5F});
  add("", OpRunner("HardSwish", 14), {-4, 0, 1, 4}, {0, 0, 2.0F / 3, 4});
  add("", OpRunner("Softplus", 1), {0, 100}, {0.6931472F, 100});
  add("", OpRunner("Softsign", 1), {-1, 3}, {-0.5F, 0.75F});
  add("", OpRunner("Mish", 18), {1}, {0.8650984F});
  add("default", OpRunner("Gelu", 20), {1, -1}, {0.8413447F, -0.15865526F});
  add("tanh", OpRunner("Gelu", 20).With("approximate", std::string("tanh")), {1}, {0.841192F});
  add("", OpRunner("Erf", 13), {0.5F, 2}, {0.5204999F, 0.9953223F});
  add("", OpRunner("Exp", 13), {1}, {2.7182817F});
  add("", OpRunner("Log", 13), {2}, {0.6931472F});
  c.push_back({"doubles", OpRunner("Exp", 13), In(D({1}, {0})), In(D({1}, {1}))});
  c.push_back({"per channel", OpRunner("PRelu", 16),
               In(F({2, 2}, {-1, 1, -2, 2}), F({2, 1}, {2, 3})), In(F({2, 2}, {-2, 1, -6, 2}))});
  c.push_back({"per element", OpRunner("PRelu", 9), In(F({2, 2}, {-1, 1, -2, -3}), F({2}, {2, 3})),
               In(F({2, 2}, {-2, 1, -4, -9}))});
  ExpectResults(c);
}

TEST(Activations, RefuseWhatDoesNotFit) {
  std::vector<OpRefusal> c;
  c.push_back({OpRunner("Elu", 6), In(I({1}, {1})), "input is INT64, expected FLOAT32"});
  c.push_back({OpRunner("Elu", 6).With("beta", 1.0F), In(F({1}, {1})), "no attribute 'beta'"});
  c.push_back({OpRunner("Celu", 12).With("alpha", 0.0F), In(F({1}, {1})), "'alpha' is 0"});
  c.push_back({OpRunner("Gelu", 20).With("approximate", std::string("x")), In(F({1}, {1})),
               "'approximate' is 'x', expected none or tanh"});
  c.push_back({OpRunner("Gelu", 19), In(F({1}, {1})), "opset 19 is not supported",
               absl::StatusCode::kUnimplemented});
  c.push_back({OpRunner("Exp", 13), In(I({1}, {1})), "expected FLOAT32 or FLOAT64"});
  c.push_back({OpRunner("PRelu", 16), In(F({2}, {1, 2}), F({2, 1}, {1, 2})),
               "slope is [2,1], which does not broadcast to [2]"});
  ExpectRefusals(c);
}

}  // namespace
}  // namespace sigserve
