// Reductions, ArgMax, TopK, CumSum.
#include <cmath>

#include "tests/unit/model/ops/op_cases.h"

namespace sigserve {
namespace {

using Ints = std::vector<int64_t>;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

OpRunner Reduce(const char* op, int opset, int64_t keep, std::optional<Ints> axes = {}) {
  OpRunner runner(op, opset);
  runner.With("keepdims", keep);
  if (axes.has_value()) {
    runner.With("axes", *std::move(axes));
  }
  return runner;
}

Tensor X() { return F({2, 3}, {1, -2, 3, 4, 5, 6}); }

TEST(Reduce, EachRule) {
  std::vector<OpCase> c;
  const auto add = [&](const char* op, std::vector<float> y) {
    c.push_back({"axis 1", Reduce(op, 12, 0, Ints{1}), In(X()), In(F({2}, y))});
  };
  add("ReduceSum", {2, 15});
  add("ReduceMean", {2.0F / 3, 5});
  add("ReduceMax", {3, 6});
  add("ReduceMin", {-2, 4});
  add("ReduceProd", {-6, 120});
  add("ReduceL1", {6, 15});
  add("ReduceL2", {std::sqrt(14.0F), std::sqrt(77.0F)});
  add("ReduceSumSquare", {14, 77});
  add("ReduceLogSum", {std::log(2.0F), std::log(15.0F)});
  add("ReduceLogSumExp", {3.1328452F, 6.407606F});
  ExpectResults(c);
}

TEST(Reduce, AxesAndShapes) {
  std::vector<OpCase> c;
  c.push_back({"all", OpRunner("ReduceSum", 13), In(X()), In(F({1, 1}, {17}))});
  c.push_back({"all, dropped", Reduce("ReduceSum", 13, 0), In(X()), In(F({}, {17}))});
  c.push_back(
      {"input", OpRunner("ReduceSum", 13), In(X(), I({1}, {-2})), In(F({1, 3}, {5, 3, 9}))});
  c.push_back({"empty input", OpRunner("ReduceSum", 13), In(X(), I({0}, {})), In(F({1, 1}, {17}))});
  c.push_back({"empty input, noop",
               OpRunner("ReduceSum", 13).With("noop_with_empty_axes", int64_t{1}),
               In(X(), I({0}, {})), In(X())});
  c.push_back({"no input, noop", OpRunner("ReduceMax", 18).With("noop_with_empty_axes", int64_t{1}),
               In(X()), In(X())});
  c.push_back({"outer and inner", Reduce("ReduceSum", 11, 0, Ints{0, 2}),
               In(F({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})), In(F({2}, {14, 22}))});
  c.push_back({"nothing to add", Reduce("ReduceSum", 12, 0, Ints{1}), In(F({2, 0}, {})),
               In(F({2}, {0, 0}))});
  c.push_back({"largest of nothing", Reduce("ReduceMax", 12, 0, Ints{0}), In(F({0}, {})),
               In(F({}, {-kInfinity}))});
  c.push_back(
      {"no results", Reduce("ReduceSum", 12, 0, Ints{1}), In(F({0, 2}, {})), In(F({0}, {}))});
  c.push_back({"integers wrap", Reduce("ReduceSum", 12, 0), In(I({2}, {INT64_MAX, 1})),
               In(I({}, {INT64_MIN}))});
  c.push_back(
      {"integers", Reduce("ReduceMean", 12, 0), In(I32({3}, {-1, -2, -5})), In(I32({}, {-2}))});
  c.push_back({"doubles", Reduce("ReduceMean", 12, 0), In(D({2}, {1, 2})), In(D({}, {1.5}))});
  c.push_back({"bools", Reduce("ReduceMax", 20, 0), In(B({2}, {false, true})), In(B({}, {true}))});
  c.push_back(
      {"NaN stays", Reduce("ReduceMax", 12, 0), In(F({3}, {1, kNaN, 2})), In(F({}, {kNaN}))});
  c.push_back({"large", Reduce("ReduceLogSumExp", 12, 0), In(F({2}, {1000, 1000})),
               In(F({}, {1000.6931F}))});
  c.push_back({"infinite", Reduce("ReduceLogSumExp", 12, 0), In(F({2}, {-kInfinity, -kInfinity})),
               In(F({}, {-kInfinity}))});
  ExpectResults(c);
}

TEST(Reduce, Extremes) {
  std::vector<OpCase> c;
  const auto x = [] { return F({2, 3}, {1, 3, 3, 6, 5, 6}); };
  const OpRunner last =
      OpRunner("ArgMax", 13).With("axis", int64_t{1}).With("select_last_index", int64_t{1});
  c.push_back({"axis 0", OpRunner("ArgMax", 13), In(x()), In(I({1, 3}, {1, 1, 1}))});
  c.push_back(
      {"first", OpRunner("ArgMax", 11).With("axis", int64_t{-1}), In(x()), In(I({2, 1}, {1, 0}))});
  c.push_back({"last", last, In(x()), In(I({2, 1}, {2, 2}))});
  c.push_back({"dropped", OpRunner("ArgMin", 13).With("keepdims", int64_t{0}), In(x()),
               In(I({3}, {0, 0, 0}))});
  c.push_back({"NaN", OpRunner("ArgMin", 13), In(F({3}, {1, kNaN, 0})), In(I({1}, {1}))});
  ExpectResults(c);
}

TEST(Reduce, TopK) {
  std::vector<OpCase> c;
  const auto x = [] { return F({2, 4}, {3, 1, 4, 1, 5, 9, 2, 6}); };
  const auto smallest = OpRunner("TopK", 11).With("largest", int64_t{0});
  c.push_back({"attribute", OpRunner("TopK", 9).With("k", int64_t{2}), In(x()),
               In(F({2, 2}, {4, 3, 9, 6}), I({2, 2}, {2, 0, 1, 3}))});
  c.push_back({"smallest", smallest, In(x(), I({1}, {3})),
               In(F({2, 3}, {1, 1, 3, 2, 5, 6}), I({2, 3}, {1, 3, 0, 2, 0, 3}))});
  c.push_back({"axis 0", OpRunner("TopK", 10).With("axis", int64_t{0}), In(x(), I({1}, {1})),
               In(F({1, 4}, {5, 9, 4, 6}), I({1, 4}, {1, 1, 0, 1}))});
  c.push_back({"all", OpRunner("TopK", 11), In(I({4}, {7, 9, 7, 8}), I({1}, {4})),
               In(I({4}, {9, 8, 7, 7}), I({4}, {1, 3, 0, 2}))});
  c.push_back({"NaN is largest", OpRunner("TopK", 11), In(F({3}, {1, kNaN, 2}), I({1}, {2})),
               In(F({2}, {kNaN, 2}), I({2}, {1, 2}))});
  c.push_back({"none", OpRunner("TopK", 11), In(F({3}, {1, 2, 3}), I({1}, {0})),
               In(F({0}, {}), I({0}, {}))});
  ExpectResults(c);
}

TEST(Reduce, CumSum) {
  std::vector<OpCase> c;
  const auto cum_sum = [](int64_t exclusive, int64_t reverse) {
    return OpRunner("CumSum", 14).With("exclusive", exclusive).With("reverse", reverse);
  };
  c.push_back({"rows", cum_sum(0, 0), In(F({2, 2}, {1, 2, 3, 4}), I({}, {0})),
               In(F({2, 2}, {1, 2, 4, 6}))});
  c.push_back({"columns", cum_sum(0, 0), In(F({2, 2}, {1, 2, 3, 4}), I32({}, {-1})),
               In(F({2, 2}, {1, 3, 3, 7}))});
  c.push_back(
      {"exclusive", cum_sum(1, 0), In(I({3}, {1, 2, 3}), I({}, {0})), In(I({3}, {0, 1, 3}))});
  c.push_back(
      {"reverse", cum_sum(1, 1), In(I({3}, {1, 2, 3}), I({1}, {0})), In(I({3}, {5, 3, 0}))});
  ExpectResults(c);
}

TEST(Reduce, RefusesWhatDoesNotFit) {
  std::vector<OpRefusal> c;
  c.push_back({Reduce("ReduceSum", 12, 1, Ints{2}), In(X()), "axis 2 is out of range"});
  c.push_back({Reduce("ReduceSum", 12, 1, Ints{1, -1}), In(X()), "axis -1 is given twice"});
  c.push_back({Reduce("ReduceSum", 13, 1, Ints{1}), In(X()), "no attribute 'axes'"});
  c.push_back({Reduce("ReduceMax", 18, 1, Ints{1}), In(X()), "no attribute 'axes'"});
  c.push_back({OpRunner("ReduceSum", 12), In(X(), I({1}, {1})), "has 2 inputs"});
  c.push_back({OpRunner("ReduceSum", 13), In(X(), F({1}, {1})), "axes is FLOAT32 [1]"});
  c.push_back({OpRunner("ReduceSum", 13), In(B({1}, {true})), "input is BOOL"});
  c.push_back({OpRunner("ArgMax", 13).With("axis", int64_t{2}), In(X()), "axis 2 is out of range"});
  c.push_back({OpRunner("ArgMax", 13), In(F({0}, {})), "has no elements"});
  c.push_back({OpRunner("ArgMax", 11).With("select_last_index", int64_t{1}), In(X()),
               "no attribute 'select_last_index'"});
  c.push_back({OpRunner("TopK", 11).Outputs(2), In(X(), I({1}, {4})), "K is 4, axis 1"});
  c.push_back({OpRunner("TopK", 11).Outputs(2), In(X(), I({1}, {-1})), "K is -1"});
  c.push_back({OpRunner("TopK", 9).Outputs(2), In(X()), "attribute 'k' is missing"});
  c.push_back({OpRunner("CumSum", 14), In(X(), I({}, {2})), "axis 2 is out of range"});
  c.push_back({OpRunner("CumSum", 14), In(X(), I({2}, {0, 1})), "axis has 2 elements"});
  ExpectRefusals(c);
}

}  // namespace
}  // namespace sigserve
