// Operators that move elements or make them from shapes.
#include "tests/unit/model/ops/op_cases.h"

namespace sigserve {
namespace {

using Ints = std::vector<int64_t>;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

OpRunner Axis(const char* op, int opset, int64_t axis) {
  return OpRunner(op, opset).With("axis", axis);
}
OpRunner List(const char* op, int opset, const char* name, Ints values) {
  return OpRunner(op, opset).With(name, std::move(values));
}
Tensor Ramp(const Shape& shape) {
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i);
  }
  return F(shape, values);
}

TEST(Movement, Rearranges) {
  std::vector<OpCase> c;
  c.push_back(
      {"reversed", OpRunner("Transpose", 13), In(Ramp({2, 3})), In(F({3, 2}, {0, 3, 1, 4, 2, 5}))});
  c.push_back({"perm", List("Transpose", 13, "perm", {1, 0, 2}), In(Ramp({2, 2, 2})),
               In(F({2, 2, 2}, {0, 1, 4, 5, 2, 3, 6, 7}))});
  c.push_back({"inner", List("Transpose", 13, "perm", {0, 2, 1}), In(I({1, 2, 2}, {1, 2, 3, 4})),
               In(I({1, 2, 2}, {1, 3, 2, 4}))});
  c.push_back({"scalar", OpRunner("Transpose", 13), In(F({}, {7})), In(F({}, {7}))});
  c.push_back({"empty", OpRunner("Transpose", 13), In(F({0, 3}, {})), In(F({3, 0}, {}))});
  c.push_back({"rows", Axis("Concat", 13, 0), In(Ramp({1, 2}), Ramp({2, 2})),
               In(F({3, 2}, {0, 1, 0, 1, 2, 3}))});
  c.push_back({"columns", Axis("Concat", 13, -1), In(Ramp({2, 1}), Ramp({2, 2}), Ramp({2, 0})),
               In(F({2, 3}, {0, 0, 1, 1, 2, 3}))});
  c.push_back({"one", Axis("Concat", 4, 0), In(B({2}, {true, false})), In(B({2}, {true, false}))});
  c.push_back({"equal", Axis("Split", 13, 1), In(Ramp({2, 4})),
               In(F({2, 2}, {0, 1, 4, 5}), F({2, 2}, {2, 3, 6, 7}))});
  c.push_back({"attribute", List("Split", 11, "split", {1, 2}), In(Ramp({3})),
               In(F({1}, {0}), F({2}, {1, 2}))});
  c.push_back({"input", OpRunner("Split", 13), In(Ramp({3}), I({2}, {2, 1})),
               In(F({2}, {0, 1}), F({1}, {2}))});
  c.push_back({"last is smaller", OpRunner("Split", 18).With("num_outputs", int64_t{2}),
               In(Ramp({5})), In(F({3}, {0, 1, 2}), F({2}, {3, 4}))});
  c.push_back({"attributes", List("Slice", 9, "starts", {1, 0}).With("ends", Ints{9, -1}),
               In(Ramp({2, 3})), In(F({1, 2}, {3, 4}))});
  c.push_back({"inputs", OpRunner("Slice", 13),
               In(Ramp({2, 3}), I({1}, {1}), I({1}, {3}), I({1}, {1})),
               In(F({2, 2}, {1, 2, 4, 5}))});
  c.push_back({"backwards", OpRunner("Slice", 13),
               In(Ramp({5}), I({1}, {-1}), I({1}, {INT64_MIN}), I({1}, {0}), I({1}, {-2})),
               In(F({3}, {4, 2, 0}))});
  c.push_back({"great step", OpRunner("Slice", 13),
               In(Ramp({5}), I32({1}, {1}), I32({1}, {5}), I32({1}, {0}), I32({1}, {INT32_MAX})),
               In(F({1}, {1}))});
  c.push_back({"least step", OpRunner("Slice", 13),
               In(Ramp({5}), I({1}, {3}), I({1}, {INT64_MIN}), I({1}, {0}), I({1}, {INT64_MIN})),
               In(F({1}, {3}))});
  c.push_back(
      {"nothing", OpRunner("Slice", 13), In(Ramp({5}), I({1}, {4}), I({1}, {2})), In(F({0}, {}))});
  c.push_back(
      {"attribute", List("Squeeze", 11, "axes", {0, -1}), In(Ramp({1, 2, 1})), In(Ramp({2}))});
  c.push_back(
      {"input", OpRunner("Squeeze", 13), In(Ramp({1, 2, 1}), I({1}, {2})), In(Ramp({1, 2}))});
  c.push_back({"all ones", OpRunner("Squeeze", 13), In(Ramp({1, 2, 1})), In(Ramp({2}))});
  c.push_back(
      {"attribute", List("Unsqueeze", 11, "axes", {0, 2}), In(Ramp({2})), In(Ramp({1, 2, 1}))});
  c.push_back({"input", OpRunner("Unsqueeze", 13), In(Ramp({2}), I({1}, {-1})), In(Ramp({2, 1}))});
  c.push_back({"both ways", OpRunner("Expand", 13), In(Ramp({2, 1}), I({3}, {2, 1, 2})),
               In(F({2, 2, 2}, {0, 0, 1, 1, 0, 0, 1, 1}))});
  c.push_back({"keeps", OpRunner("Expand", 8), In(Ramp({3}), I({1}, {1})), In(Ramp({3}))});
  c.push_back({"scalar", OpRunner("Expand", 8), In(F({}, {4}), I({1}, {2})), In(F({2}, {4, 4}))});
  c.push_back(
      {"two", OpRunner("Tile", 13), In(Ramp({2, 1}), I({2}, {1, 2})), In(F({2, 2}, {0, 0, 1, 1}))});
  c.push_back({"both", OpRunner("Tile", 13), In(Ramp({1, 2}), I({2}, {2, 2})),
               In(F({2, 4}, {0, 1, 0, 1, 0, 1, 0, 1}))});
  c.push_back({"none", OpRunner("Tile", 13), In(Ramp({2}), I({1}, {0})), In(F({0}, {}))});
  ExpectResults(c);
}

TEST(Movement, Selects) {
  std::vector<OpCase> c;
  c.push_back({"rows", OpRunner("Gather", 13), In(Ramp({3, 2}), I({2}, {2, -3})),
               In(F({2, 2}, {4, 5, 0, 1}))});
  c.push_back({"columns", Axis("Gather", 13, 1), In(Ramp({2, 3}), I32({1, 1}, {1})),
               In(F({2, 1, 1}, {1, 4}))});
  c.push_back({"scalar index", OpRunner("Gather", 1), In(Ramp({3}), I({}, {1})), In(F({}, {1}))});
  c.push_back({"rows", Axis("GatherElements", 13, 0), In(Ramp({2, 2}), I({1, 2}, {1, -2})),
               In(F({1, 2}, {2, 1}))});
  c.push_back({"columns", Axis("GatherElements", 13, 1), In(Ramp({2, 2}), I({2, 1}, {1, 0})),
               In(F({2, 1}, {1, 2}))});
  c.push_back({"last", OpRunner("OneHot", 11), In(I({3}, {0, -1, 5}), I({}, {3}), F({2}, {0, 1})),
               In(F({3, 3}, {1, 0, 0, 0, 0, 1, 0, 0, 0}))});
  c.push_back({"first", Axis("OneHot", 11, 0), In(F({2}, {1, 0}), F({1}, {2}), I({2}, {5, 6})),
               In(I({2, 2}, {5, 6, 6, 5}))});
  c.push_back({"broadcast", OpRunner("Where", 16),
               In(B({2, 1}, {true, false}), F({2}, {1, 2}), F({}, {9})),
               In(F({2, 2}, {1, 2, 9, 9}))});
  c.push_back({"integers", OpRunner("Where", 9), In(B({}, {false}), I({1}, {1}), I({2}, {3, 4})),
               In(I({2}, {3, 4}))});
  ExpectResults(c);
}

TEST(Movement, MakesTensors) {
  std::vector<OpCase> c;
  c.push_back({"all", OpRunner("Shape", 13), In(Ramp({2, 3})), In(I({2}, {2, 3}))});
  c.push_back({"part", OpRunner("Shape", 15).With("start", int64_t{-2}).With("end", int64_t{-1}),
               In(Ramp({2, 3, 1})), In(I({1}, {3}))});
  c.push_back(
      {"beyond", OpRunner("Shape", 15).With("start", int64_t{5}), In(Ramp({2})), In(I({0}, {}))});
  c.push_back({"product", OpRunner("Size", 13), In(Ramp({2, 3})), In(I({}, {6}))});
  c.push_back({"zeros", OpRunner("ConstantOfShape", 9), In(I({2}, {1, 2})), In(F({1, 2}, {0, 0}))});
  c.push_back(
      {"value",
       OpRunner("ConstantOfShape", 9).With("value", std::make_shared<const Tensor>(I({1}, {3}))),
       In(I({0}, {})), In(I({}, {3}))});
  c.push_back({"integers", OpRunner("Range", 11), In(I({}, {10}), I({}, {4}), I({}, {-3})),
               In(I({2}, {10, 7}))});
  c.push_back({"floats", OpRunner("Range", 11), In(F({}, {1}), F({}, {2}), F({}, {0.4F})),
               In(F({3}, {1, 1.4F, 1.8F}))});
  c.push_back(
      {"empty", OpRunner("Range", 11), In(I({}, {1}), I({}, {1}), I({}, {1})), In(I({0}, {}))});
  c.push_back({"to integers", OpRunner("Cast", 13).With("to", int64_t{7}),
               In(F({5}, {-1.9F, 1.9F, 1e30F, -1e30F, kNaN})),
               In(I({5}, {-1, 1, INT64_MAX, INT64_MIN, 0}))});
  c.push_back({"to int32", OpRunner("Cast", 19).With("to", int64_t{6}).With("saturate", int64_t{1}),
               In(D({2}, {3e9, -2.5})), In(I32({2}, {INT32_MAX, -2}))});
  c.push_back({"to bool", OpRunner("Cast", 6).With("to", int64_t{9}), In(F({3}, {0, 0.5F, kNaN})),
               In(B({3}, {false, true, true}))});
  c.push_back({"from bool", OpRunner("Cast", 13).With("to", int64_t{1}), In(B({2}, {true, false})),
               In(F({2}, {1, 0}))});
  c.push_back({"to double", OpRunner("Cast", 13).With("to", int64_t{11}), In(I({1}, {3})),
               In(D({1}, {3}))});
  ExpectResults(c);
}

TEST(Movement, RefusesWhatDoesNotFit) {
  const auto unimplemented = absl::StatusCode::kUnimplemented;
  std::vector<OpRefusal> c;
  c.push_back({List("Transpose", 13, "perm", {0}), In(Ramp({2, 3})), "has 1 axes, input is [2,3]"});
  c.push_back({List("Transpose", 13, "perm", {0, 0}), In(Ramp({2, 3})), "axis 0 is given twice"});
  c.push_back({OpRunner("Concat", 13), In(Ramp({2})), "attribute 'axis' is missing"});
  c.push_back({Axis("Concat", 13, 0), In(Ramp({2, 2}), Ramp({2, 3})),
               "input 0 is FLOAT32 [2,2], input 1 is FLOAT32 [2,3]"});
  c.push_back({Axis("Concat", 13, 0), In(Ramp({2}), I({1}, {1})), "input 1 is INT64 [1]"});
  c.push_back({Axis("Concat", 13, 2), In(Ramp({2, 2})), "axis 2 is out of range"});
  c.push_back({OpRunner("Split", 13).Outputs(2), In(Ramp({3})), "which 2 outputs cannot share"});
  c.push_back({OpRunner("Split", 13).Outputs(2), In(Ramp({3}), I({2}, {3, -0x7FFFFFFF})),
               "does not share size 3"});
  c.push_back({OpRunner("Split", 13).Outputs(2), In(Ramp({3}), I({2}, {3, 0})),
               "leaves nothing of axis 0"});
  c.push_back({OpRunner("Split", 13).Outputs(2), In(Ramp({3}), I({1}, {3})), "among 2 outputs"});
  c.push_back({OpRunner("Split", 18).With("num_outputs", int64_t{3}).Outputs(2), In(Ramp({3})),
               "'num_outputs' is 3, the node has 2 outputs"});
  c.push_back({List("Split", 13, "split", {1, 2}), In(Ramp({3})), "no attribute 'split'"});
  c.push_back({List("Slice", 9, "starts", {1}), In(Ramp({3})), "attribute 'ends' is missing"});
  c.push_back(
      {OpRunner("Slice", 13), In(Ramp({3}), I({1}, {0}), I({2}, {1, 1})), "differ in length"});
  c.push_back({OpRunner("Slice", 13), In(Ramp({3}), I({2}, {0, 0}), I({2}, {1, 1})),
               "slices 2 axes, input is [3]"});
  c.push_back({OpRunner("Slice", 13),
               In(Ramp({3}), I({1}, {0}), I({1}, {1}), I({1}, {0}), I({1}, {0})), "is 0"});
  c.push_back({OpRunner("Slice", 13), In(Ramp({3}), F({1}, {0}), I({1}, {1})),
               "starts is FLOAT32 [1], expected one dimension of integers"});
  c.push_back({List("Squeeze", 11, "axes", {1}), In(Ramp({1, 2})), "has size 2, expected 1"});
  c.push_back({OpRunner("Unsqueeze", 11), In(Ramp({2})), "attribute 'axes' is missing"});
  c.push_back({OpRunner("Unsqueeze", 13), In(Ramp({2}), I({1}, {3})), "axis 3 is out of range"});
  c.push_back({OpRunner("Expand", 13), In(Ramp({2}), I({1}, {3})), "do not broadcast"});
  c.push_back({OpRunner("Expand", 13), In(Ramp({2}), I({1}, {-1})), "negative"});
  c.push_back({OpRunner("Tile", 13), In(Ramp({2}), I({2}, {1, 1})), "has 2 repeats, input is [2]"});
  c.push_back({OpRunner("Tile", 13), In(Ramp({2}), I({1}, {-1})), "negative"});
  c.push_back(
      {OpRunner("Shape", 13).With("start", int64_t{0}), In(Ramp({2})), "no attribute 'start'"});
  c.push_back(
      {OpRunner("ConstantOfShape", 9).With("value", std::make_shared<const Tensor>(I({2}, {3, 4}))),
       In(I({1}, {1})), "not a tensor of one element"});
  c.push_back({OpRunner("ConstantOfShape", 9), In(I({2}, {INT64_MAX, INT64_MAX})), ""});
  c.push_back({OpRunner("Range", 11), In(I({}, {1}), I({}, {2}), I({}, {0})), "delta is 0"});
  c.push_back(
      {OpRunner("Range", 11), In(F({}, {1}), F({}, {kNaN}), F({}, {1})), "no finite range"});
  c.push_back({OpRunner("Range", 11), In(I({}, {1}), F({}, {2}), I({}, {1})), "limit is FLOAT32"});
  c.push_back({OpRunner("Gather", 13), In(Ramp({3}), I({2}, {0, 3})),
               "index 3 (element 1) is out of range for size 3"});
  c.push_back({OpRunner("Gather", 13), In(Ramp({3}), F({1}, {0})), "indices are FLOAT32"});
  c.push_back({OpRunner("Gather", 13), In(F({}, {1}), I({1}, {0})), "axis 0 is out of range"});
  c.push_back({Axis("GatherElements", 13, 0), In(Ramp({2, 2}), I({1, 3}, {0, 0, 0})),
               "reach beyond the input"});
  c.push_back(
      {OpRunner("OneHot", 11), In(I({1}, {0}), I({}, {-1}), F({2}, {0, 1})), "depth is -1"});
  c.push_back({OpRunner("OneHot", 11), In(I({1}, {0}), I({}, {1}), F({1}, {0})), "values are [1]"});
  c.push_back({OpRunner("Where", 16), In(F({1}, {1}), F({1}, {1}), F({1}, {1})),
               "condition is FLOAT32, expected BOOL"});
  c.push_back({OpRunner("Where", 16), In(B({1}, {true}), F({1}, {1}), I({1}, {1})),
               "X is FLOAT32, Y is INT64"});
  c.push_back({OpRunner("Cast", 13), In(Ramp({1})), "attribute 'to' is missing"});
  c.push_back({OpRunner("Cast", 13).With("to", int64_t{10}), In(Ramp({1})), "'to' is type 10",
               unimplemented});
  c.push_back({OpRunner("Cast", 13).With("to", int64_t{1}).With("saturate", int64_t{1}),
               In(Ramp({1})), "no attribute 'saturate'"});
  ExpectRefusals(c);
}

// An index that only the request brings cannot be refused any more: the answer shows it.
TEST(Movement, GathersNaNForAnIndexOutOfRange) {
  const std::vector<Tensor> in = In(Ramp({2, 2}), I({2}, {5, 1}));
  ASSERT_OK_AND_ASSIGN(const auto op, OpRunner("Gather", 13).Make(Views(in)));
  Tensor out(DType::kFloat32, {2, 2});
  const std::vector<MutableTensorView> outputs(1, out.mutable_view());
  ForwardOnce(*op, Views(in), outputs);
  ExpectEqual(out, F({2, 2}, {kNaN, kNaN, 2, 3}));
}

TEST(Movement, NeedsValuesThatDecideShapes) {
  const auto unknown = StatusIs(absl::StatusCode::kUnimplemented,
                                testing::HasSubstr("depends on the values of the inputs"));
  EXPECT_THAT(InferWithout(OpRunner("Expand", 13), In(Ramp({1}), I({1}, {2})), 1), unknown);
  EXPECT_THAT(InferWithout(OpRunner("ConstantOfShape", 9), In(I({1}, {2})), 0), unknown);
  EXPECT_THAT(InferWithout(OpRunner("Range", 11), In(I({}, {1}), I({}, {2}), I({}, {1})), 1),
              unknown);
  EXPECT_THAT(InferWithout(OpRunner("OneHot", 11), In(I({1}, {0}), I({}, {1}), F({2}, {0, 1})), 1),
              unknown);
}

}  // namespace
}  // namespace sigserve
