// Elementwise operators besides Add, Sub, Mul and Div.
#include <cmath>

#include "tests/unit/model/ops/op_cases.h"

namespace sigserve {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Elementwise, OneOperand) {
  std::vector<OpCase> c;
  const auto add = [&](const char* op, Tensor x, Tensor y) {
    c.push_back({"", OpRunner(op, 13), In(std::move(x)), In(std::move(y))});
  };
  add("Abs", F({3}, {-1, 2, kNaN}), F({3}, {1, 2, kNaN}));
  add("Abs", I({2}, {-3, INT64_MIN}), I({2}, {3, INT64_MIN}));
  add("Neg", F({2}, {-1, 2}), F({2}, {1, -2}));
  add("Neg", I32({2}, {5, INT32_MIN}), I32({2}, {-5, INT32_MIN}));
  add("Sign", F({4}, {-3, 0, 5, kNaN}), F({4}, {-1, 0, 1, kNaN}));
  add("Sign", I({2}, {-3, 4}), I({2}, {-1, 1}));
  add("Floor", F({2}, {-1.5F, 1.5F}), F({2}, {-2, 1}));
  add("Ceil", D({2}, {-1.5, 1.5}), D({2}, {-1, 2}));
  add("Round", F({4}, {0.5F, 1.5F, -2.5F, 2.6F}), F({4}, {0, 2, -2, 3}));
  add("Sqrt", F({2}, {4, -1}), F({2}, {2, kNaN}));
  add("Reciprocal", F({2}, {4, 0}), F({2}, {0.25F, kInfinity}));
  add("Not", B({2}, {true, false}), B({2}, {false, true}));
  add("IsNaN", F({2}, {kNaN, kInfinity}), B({2}, {true, false}));
  ExpectResults(c);
}

TEST(Elementwise, Comparisons) {
  std::vector<OpCase> c;
  const auto add = [&](const char* op, Tensor a, Tensor b, std::vector<bool> y) {
    c.push_back({"", OpRunner(op, 13), In(std::move(a), std::move(b)),
                 In(B({static_cast<int64_t>(y.size())}, y))});
  };
  const auto x = [] { return F({4}, {1, 2, 3, kNaN}); };
  add("Equal", x(), F({}, {2}), {false, true, false, false});
  add("Less", x(), F({}, {2}), {true, false, false, false});
  add("LessOrEqual", x(), F({}, {2}), {true, true, false, false});
  add("Greater", x(), F({}, {2}), {false, false, true, false});
  add("GreaterOrEqual", x(), F({}, {2}), {false, true, true, false});
  add("Equal", I({1}, {INT64_MAX}), I({2}, {INT64_MAX - 1, INT64_MAX}), {false, true});
  add("Equal", B({2}, {true, false}), B({1}, {false}), {false, true});
  add("And", B({2}, {true, false}), B({1}, {true}), {true, false});
  add("Or", B({2}, {true, false}), B({1}, {true}), {true, true});
  add("Xor", B({2}, {true, false}), B({1}, {true}), {false, true});
  ExpectResults(c);
}

TEST(Elementwise, AnyNumberOfOperands) {
  std::vector<OpCase> c;
  const auto add = [&](const char* op, std::vector<Tensor> in, Tensor y) {
    c.push_back({"", OpRunner(op, 13), std::move(in), In(std::move(y))});
  };
  add("Max", In(F({2}, {1, 5}), F({2, 1}, {2, 6}), F({}, {3})), F({2, 2}, {3, 5, 6, 6}));
  add("Max", In(F({2}, {kNaN, 1}), F({2}, {1, kNaN})), F({2}, {kNaN, kNaN}));
  add("Min", In(I({2}, {1, 5}), I({1}, {3})), I({2}, {1, 3}));
  add("Min", In(F({2}, {kNaN, 1}), F({2}, {1, kNaN})), F({2}, {kNaN, kNaN}));
  add("Sum", In(F({2}, {1, 2})), F({2}, {1, 2}));
  add("Sum", In(F({2}, {1, 2}), F({1}, {3}), F({2}, {5, 6})), F({2}, {9, 11}));
  add("Mean", In(F({2}, {1, 2}), F({2}, {3, 5})), F({2}, {2, 3.5F}));
  ExpectResults(c);
}

TEST(Elementwise, Powers) {
  std::vector<OpCase> c;
  const auto add = [&](Tensor a, Tensor b, Tensor y) {
    c.push_back({"", OpRunner("Pow", 13), In(std::move(a), std::move(b)), In(std::move(y))});
  };
  add(F({3}, {2, 3, -1}), F({}, {2}), F({3}, {4, 9, 1}));
  add(F({2}, {4, -4}), F({}, {0.5F}), F({2}, {2, kNaN}));
  add(F({1}, {2}), I({2}, {10, -1}), F({2}, {1024, 0.5F}));
  add(I({4}, {2, -1, 0, 5}), I({4}, {62, -3, 0, -1}), I({4}, {int64_t{1} << 62, -1, 1, 0}));
  add(I32({2}, {3, 2}), F({2}, {2.5F, 40}), I32({2}, {15, 0}));
  ExpectResults(c);
}

TEST(Elementwise, Clips) {
  std::vector<OpCase> c;
  const auto attributes = OpRunner("Clip", 6).With("min", -1.0F).With("max", 1.0F);
  c.push_back(
      {"attributes", attributes, In(F({4}, {-2, 0.5F, 3, kNaN})), In(F({4}, {-1, 0.5F, 1, kNaN}))});
  c.push_back({"inputs", OpRunner("Clip", 13), In(F({2}, {-1, 8}), F({}, {0}), F({}, {6})),
               In(F({2}, {0, 6}))});
  c.push_back({"one bound", OpRunner("Clip", 11), In(F({2}, {-kInfinity, 8}), F({}, {0})),
               In(F({2}, {0, 8}))});
  c.push_back({"none", OpRunner("Clip", 13), In(I({2}, {INT64_MIN, INT64_MAX})),
               In(I({2}, {INT64_MIN, INT64_MAX}))});
  c.push_back({"crossed", OpRunner("Clip", 13), In(F({2}, {0, 9}), F({}, {5}), F({}, {1})),
               In(F({2}, {1, 1}))});
  ExpectResults(c);
}

TEST(Elementwise, RefusesWhatDoesNotFit) {
  std::vector<OpRefusal> c;
  c.push_back({OpRunner("Sqrt", 13), In(I({1}, {1})), "expected FLOAT32 or FLOAT64"});
  c.push_back({OpRunner("Abs", 13), In(B({1}, {true})), "expected numbers"});
  c.push_back({OpRunner("Not", 13), In(F({1}, {1})), "expected BOOL"});
  c.push_back({OpRunner("IsNaN", 13), In(I({1}, {1})), "expected FLOAT32 or FLOAT64"});
  c.push_back(
      {OpRunner("Abs", 13).With("axis", int64_t{1}), In(F({1}, {1})), "no attribute 'axis'"});
  c.push_back({OpRunner("And", 13), In(F({1}, {1}), F({1}, {1})), "expected BOOL"});
  c.push_back({OpRunner("Less", 13), In(B({1}, {true}), B({1}, {true})), "expected numbers"});
  c.push_back({OpRunner("Less", 13), In(F({1}, {1}), I({1}, {1})), "they must be of one type"});
  c.push_back({OpRunner("Equal", 13), In(F({2}, {1, 2}), F({3}, {1, 2, 3})), "do not broadcast"});
  c.push_back({OpRunner("Max", 13), In(F({1}, {1}), I({1}, {1})), "input 1 is INT64"});
  c.push_back({OpRunner("Sum", 13), In(I({1}, {1})), "expected FLOAT32 or FLOAT64"});
  c.push_back({OpRunner("Mean", 13), In(F({2}, {1, 2}), F({3}, {1, 2, 3})), "do not broadcast"});
  c.push_back({OpRunner("Pow", 11), In(F({1}, {1}), I({1}, {1})), "they must be of one type"});
  c.push_back({OpRunner("Pow", 13), In(B({1}, {true}), I({1}, {1})), "operands are BOOL"});
  c.push_back({OpRunner("Clip", 13), In(F({1}, {1}), F({2}, {1, 2})), "min is FLOAT32 [2]"});
  c.push_back({OpRunner("Clip", 13), In(F({1}, {1}), I({}, {1})), "min is INT64 []"});
  c.push_back({OpRunner("Clip", 13).With("min", 1.0F), In(F({1}, {1})), "no attribute 'min'"});
  ExpectRefusals(c);
}

}  // namespace
}  // namespace sigserve
