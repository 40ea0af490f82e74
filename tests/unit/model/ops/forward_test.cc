// Forward of each operator: a table of inputs and results, then a table of inputs it refuses.
#include "tests/unit/model/ops/op_cases.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

struct Case {
  const char* name;
  OpRunner op;
  std::vector<Tensor> in;
  Tensor expected;
};

std::vector<Case> ArithmeticCases() {
  std::vector<Case> c;
  const auto add = [&](const char* name, const char* op, std::vector<Tensor> in, Tensor expected) {
    c.push_back({name, OpRunner(op, 14), std::move(in), std::move(expected)});
  };
  add("same shapes", "Add", In(F({2}, {1, 2}), F({2}, {10, 20})), F({2}, {11, 22}));
  add("row", "Sub", In(F({2, 2}, {1, 2, 3, 4}), F({2}, {1, 2})), F({2, 2}, {0, 0, 2, 2}));
  add("column", "Mul", In(F({2, 1}, {2, 3}), F({2, 2}, {1, 2, 3, 4})), F({2, 2}, {2, 4, 9, 12}));
  add("scalar", "Div", In(F({}, {12}), F({3}, {1, 2, 3})), F({3}, {12, 6, 4}));
  add("outer", "Add", In(F({2, 1}, {10, 20}), F({1, 2}, {1, 2})), F({2, 2}, {11, 12, 21, 22}));
  add("three dimensions", "Add", In(F({2, 1, 2}, {1, 2, 3, 4}), F({2, 1}, {10, 20})),
      F({2, 2, 2}, {11, 12, 21, 22, 13, 14, 23, 24}));
  add("empty", "Add", In(F({0, 2}, {}), F({2}, {1, 2})), F({0, 2}, {}));
  add("integers", "Sub", In(I({2}, {1, 2}), I({1}, {3})), I({2}, {-2, -1}));
  add("integer overflow wraps", "Add", In(I({1}, {INT64_MAX}), I({1}, {1})), I({1}, {INT64_MIN}));
  add("integer division truncates", "Div", In(I({2}, {-7, 7}), I({1}, {2})), I({2}, {-3, 3}));
  add("integer division by zero", "Div", In(I({2}, {5, -5}), I({1}, {0})), I({2}, {0, 0}));
  add("integer minimum by -1", "Div", In(I({1}, {INT64_MIN}), I({1}, {-1})), I({1}, {INT64_MIN}));
  return c;
}

std::vector<Case> MatrixCases() {
  std::vector<Case> c;
  const auto add = [&](const char* name, OpRunner op, std::vector<Tensor> in, Tensor expected) {
    c.push_back({name, std::move(op), std::move(in), std::move(expected)});
  };
  const OpRunner gemm("Gemm", 13);
  const OpRunner matmul("MatMul", 13);
  const auto a = [] { return F({2, 2}, {1, 2, 3, 4}); };
  const auto b = [] { return F({2, 2}, {5, 6, 7, 8}); };
  add("gemm", gemm, In(a(), b()), F({2, 2}, {19, 22, 43, 50}));
  add("gemm bias", gemm, In(a(), b(), F({2}, {1, 2})), F({2, 2}, {20, 24, 44, 52}));
  add("gemm bias [1,n]", gemm, In(a(), b(), F({1, 2}, {1, 2})), F({2, 2}, {20, 24, 44, 52}));
  add("gemm bias [m,1]", gemm, In(a(), b(), F({2, 1}, {1, 2})), F({2, 2}, {20, 23, 45, 52}));
  add("gemm bias scalar", gemm, In(a(), b(), F({}, {1})), F({2, 2}, {20, 23, 44, 51}));
  add("gemm full C", gemm, In(a(), b(), a()), F({2, 2}, {20, 24, 46, 54}));
  add("gemm transA", OpRunner("Gemm", 7).With("transA", int64_t{1}), In(a(), b(), F({1}, {0})),
      F({2, 2}, {26, 30, 38, 44}));
  add("gemm transB", OpRunner("Gemm", 9).With("transB", int64_t{1}), In(a(), b(), F({1}, {0})),
      F({2, 2}, {17, 23, 39, 53}));
  add("gemm alpha beta", OpRunner("Gemm", 13).With("alpha", 2.0F).With("beta", 10.0F),
      In(a(), b(), F({2}, {1, 2})), F({2, 2}, {48, 64, 96, 120}));
  add("gemm empty batch", gemm, In(F({0, 2}, {}), b()), F({0, 2}, {}));
  add("gemm no columns inside", gemm, In(F({1, 0}, {}), F({0, 2}, {}), F({2}, {3, 4})),
      F({1, 2}, {3, 4}));
  add("matmul", matmul, In(a(), b()), F({2, 2}, {19, 22, 43, 50}));
  add("matmul vectors", matmul, In(F({2}, {1, 2}), F({2}, {3, 4})), F({}, {11}));
  add("matmul vector left", matmul, In(F({2}, {1, 2}), b()), F({2}, {19, 22}));
  add("matmul vector right", matmul, In(a(), F({2}, {1, 2})), F({2}, {5, 11}));
  add("matmul batch of rows", matmul, In(F({2, 1, 2}, {1, 2, 3, 4}), b()),
      F({2, 1, 2}, {19, 22, 43, 50}));
  add("matmul batches", matmul, In(F({2, 1, 2}, {1, 2, 3, 4}), F({2, 2, 1}, {5, 6, 7, 8})),
      F({2, 1, 1}, {17, 53}));
  add("matmul batches broadcast", matmul, In(F({2, 1, 1, 1}, {2, 3}), F({2, 1, 1}, {5, 7})),
      F({2, 2, 1, 1}, {10, 14, 15, 21}));
  return c;
}

std::vector<Case> OtherCases() {
  std::vector<Case> c;
  const auto add = [&](const char* name, OpRunner op, std::vector<Tensor> in, Tensor expected) {
    c.push_back({name, std::move(op), std::move(in), std::move(expected)});
  };
  const auto axis = [](const char* op, int opset, int64_t value) {
    return OpRunner(op, opset).With("axis", value);
  };
  const auto x = [] { return F({2, 3}, {1, 2, 3, 4, 5, 6}); };
  const auto ramp = [](const Shape& s) { return F(s, {1, 2, 3, 4, 5, 6}); };
  const OpRunner reshape("Reshape", 14);
  add("sigmoid", OpRunner("Sigmoid", 13), In(F({4}, {1, 2, 3, 4})),
      F({4}, {0.7310586F, 0.8807971F, 0.95257413F, 0.98201379F}));
  add("sigmoid scalar", OpRunner("Sigmoid", 13), In(F({}, {0})), F({}, {0.5F}));
  add("tanh", OpRunner("Tanh", 13), In(F({2}, {0, 1})), F({2}, {0, 0.76159416F}));
  add("relu", OpRunner("Relu", 14), In(F({3}, {-1, 0, 2})), F({3}, {0, 0, 2}));
  add("identity", OpRunner("Identity", 14), In(I({2}, {1, 2})), I({2}, {1, 2}));
  add("dropout", OpRunner("Dropout", 13), In(x()), x());
  add("reshape -1", reshape, In(x(), I({2}, {-1, 2})), ramp({3, 2}));
  add("reshape copies 0", reshape, In(x(), I({3}, {0, -1, 1})), ramp({2, 3, 1}));
  add("reshape to scalar", reshape, In(F({1, 1}, {5}), I({0}, {})), F({}, {5}));
  add("reshape allowzero", OpRunner("Reshape", 14).With("allowzero", int64_t{1}),
      In(F({0, 3}, {}), I({2}, {3, 0})), F({3, 0}, {}));
  add("reshape empty", reshape, In(F({0, 3}, {}), I({2}, {0, 3})), F({0, 3}, {}));
  add("flatten", OpRunner("Flatten", 13), In(ramp({1, 2, 3})), ramp({1, 6}));
  add("flatten 0", axis("Flatten", 13, 0), In(x()), ramp({1, 6}));
  add("flatten -1", axis("Flatten", 13, -1), In(ramp({1, 2, 3})), ramp({2, 3}));
  add("flatten all", axis("Flatten", 13, 2), In(x()), ramp({6, 1}));
  add("softmax", OpRunner("Softmax", 13), In(F({2, 2}, {0, 0, 1000, 1000})),
      F({2, 2}, {0.5F, 0.5F, 0.5F, 0.5F}));
  add("softmax axis 0", axis("Softmax", 13, 0), In(F({2, 1}, {0, 1})),
      F({2, 1}, {0.26894143F, 0.7310586F}));
  add("softmax before 13 flattens", OpRunner("Softmax", 11), In(F({1, 2, 2}, {0, 0, 0, 0})),
      F({1, 2, 2}, {0.25F, 0.25F, 0.25F, 0.25F}));
  add("log-softmax", OpRunner("LogSoftmax", 13), In(F({1, 2}, {0, 200})), F({1, 2}, {-200, 0}));
  return c;
}

void Check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    // Constants, which may be repacked, and values given late must do the same.
    for (const bool constants : {true, false}) {
      const bool reshape = c.op.node.op_type == "Reshape";
      SCOPED_TRACE(testing::Message() << c.name << (constants ? ", constant" : ""));
      OpRunner op = c.op;
      op.Constant({false, constants || reshape, constants});
      ASSERT_OK_AND_ASSIGN(const Tensor got, op.Run(Views(c.in)));
      ExpectEqual(got, c.expected);
    }
  }
}

TEST(Forward, Arithmetic) { Check(ArithmeticCases()); }
TEST(Forward, Matrices) { Check(MatrixCases()); }
TEST(Forward, Others) { Check(OtherCases()); }

struct Refusal {
  const char* name;
  OpRunner op;
  std::vector<Tensor> in;
  const char* message;
  StatusCode code = StatusCode::kInvalidArgument;
};

TEST(Forward, RefusesWhatDoesNotFit) {
  std::vector<Refusal> cases;
  const auto add = [&](const char* name, OpRunner op, std::vector<Tensor> in, const char* message) {
    cases.push_back({name, std::move(op), std::move(in), message});
  };
  const auto x = [] { return F({2, 3}, {1, 2, 3, 4, 5, 6}); };
  const OpRunner reshape("Reshape", 14);
  add("sizes", OpRunner("Add", 14), In(x(), F({2}, {1, 2})),
      "left is [2,3], right is [2]: sizes 3 and 2 do not broadcast");
  add("types", OpRunner("Add", 14), In(x(), I({1}, {1})), "left is FLOAT32, right is INT64");
  add("bool", OpRunner("Mul", 14), In(Tensor(DType::kBool, {1}), Tensor(DType::kBool, {1})),
      "operands are BOOL");
  add("sigmoid of integers", OpRunner("Sigmoid", 13), In(I({1}, {1})),
      "input is INT64, expected FLOAT32");
  add("matmul", OpRunner("MatMul", 13), In(x(), F({2, 1}, {1, 2})),
      "left has 3 columns, right has 2 rows");
  add("matmul scalar", OpRunner("MatMul", 13), In(x(), F({}, {1})), "right is a scalar");
  add("matmul batches", OpRunner("MatMul", 13),
      In(Tensor(DType::kFloat32, {2, 1, 1}), Tensor(DType::kFloat32, {3, 1, 1})),
      "do not broadcast");
  add("gemm", OpRunner("Gemm", 13), In(x(), x()), "left has 3 columns, right has 2 rows");
  add("gemm rank", OpRunner("Gemm", 13), In(F({3}, {1, 2, 3}), x()),
      "A is [3], expected two dimensions");
  add("gemm C", OpRunner("Gemm", 13).With("transB", int64_t{1}), In(x(), x(), F({3}, {1, 2, 3})),
      "C is [3], which does not broadcast to [2,2]");
  add("gemm C may not widen", OpRunner("Gemm", 13).With("transB", int64_t{1}),
      In(x(), F({1, 3}, {1, 2, 3}), F({2}, {1, 2})), "does not broadcast to [2,1]");
  add("reshape", reshape, In(x(), I({1}, {5})), "input [2,3] has 6 elements, which do not fit [5]");
  add("reshape remainder", reshape, In(x(), I({2}, {4, -1})), "do not fit [4,-1]");
  add("reshape two unknown", reshape, In(x(), I({2}, {-1, -1})), "more than one -1");
  add("reshape negative", reshape, In(x(), I({1}, {-6})), "negative size");
  add("reshape 0 beyond", reshape, In(x(), I({3}, {2, 3, 0})), "copies dimension 2");
  add("reshape overflow", reshape, In(x(), I({2}, {INT64_MAX, INT64_MAX})), "");
  add("reshape shape type", reshape, In(x(), F({1}, {6})), "shape is FLOAT32 [1]");
  add("flatten axis", OpRunner("Flatten", 13).With("axis", int64_t{3}), In(x()),
      "axis 3 is out of range for input [2,3]");
  add("softmax axis", OpRunner("Softmax", 13).With("axis", int64_t{-3}), In(x()),
      "axis -3 is out of range");
  for (const Refusal& c : cases) {
    SCOPED_TRACE(c.name);
    OpRunner op = c.op;
    op.Constant({false, true, true});
    EXPECT_THAT(op.Run(Views(c.in)), StatusIs(c.code, HasSubstr(c.message)));
  }
}

TEST(Forward, RefusesAnAstronomicalBroadcast) {
  const TensorType tall{DType::kFloat32, {int64_t{1} << 40, 1}};
  const TensorType wide{DType::kFloat32, {1, int64_t{1} << 40}};
  const std::vector<Tensor> ones = In(F({1, 1}, {1}), F({1, 1}, {1}));
  for (const char* type : {"Add", "MatMul"}) {
    ASSERT_OK_AND_ASSIGN(const auto op, OpRunner(type, 13).Make(Views(ones)));
    TensorType out;
    EXPECT_THAT(op->Infer({{true, tall, {}}, {true, wide, {}}}, absl::MakeSpan(&out, 1)),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("")));
  }
}

TEST(Forward, ReshapeNeedsAConstantShape) {
  const std::vector<Tensor> in = In(F({2}, {1, 2}), I({1}, {2}));
  ASSERT_OK_AND_ASSIGN(const auto op, OpRunner("Reshape", 14).Make(Views(in)));
  std::vector<Operand> operands(2);
  operands[0].type.shape = in[0].shape();
  operands[1].type.dtype = DType::kInt64;
  operands[1].type.shape = in[1].shape();
  TensorType out;
  EXPECT_THAT(op->Infer(operands, absl::MakeSpan(&out, 1)),
              StatusIs(StatusCode::kUnimplemented, HasSubstr("only constants")));
}

}  // namespace
}  // namespace sigserve
