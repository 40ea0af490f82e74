// Making operators: what the table knows, and every way in which a node can be wrong.
#include "model/ops/op_table.h"

#include "tests/support/status_matchers.h"
#include "tests/unit/model/ops/op_runner.h"

namespace sigserve {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::HasSubstr;

const Tensor kMatrix = Tensor::Of<float>({2, 2}, {1, 2, 3, 4});

struct BadNode {
  const char* what;
  OpRunner op;
  int inputs;
  StatusCode code;
  const char* message;
};

TEST(OpTable, RefusesBadNodesAndNamesThem) {
  const BadNode cases[] = {
      {"unknown operator", OpRunner("Frobnicate", 17), 1, StatusCode::kUnimplemented,
       "Frobnicate 'n': no such operator here: domain 'ai.onnx', type 'Frobnicate'"},
      {"other domain", OpRunner("Relu", 17, "com.evil"), 1, StatusCode::kUnimplemented,
       "domain 'com.evil'"},
      {"old opset", OpRunner("Add", 6), 2, StatusCode::kUnimplemented,
       "opset 6 is not supported for this operator: only 7 to"},
      {"future opset", OpRunner("Relu", 1000), 1, StatusCode::kUnimplemented, "opset 1000"},
      {"too few inputs", OpRunner("Add", 14), 1, StatusCode::kInvalidArgument,
       "Add 'n': has 1 inputs, expected 2"},
      {"too many inputs", OpRunner("Relu", 14), 2, StatusCode::kInvalidArgument,
       "has 2 inputs, expected 1"},
      {"too many outputs", OpRunner("Relu", 14).Outputs(2), 1, StatusCode::kInvalidArgument,
       "has 2 outputs, expected 1"},
      {"unknown attribute", OpRunner("Relu", 14).With("slope", 1.0F), 1,
       StatusCode::kInvalidArgument, "Relu 'n': has no attribute 'slope'"},
      {"attribute type", OpRunner("Gemm", 13).With("alpha", int64_t{1}), 2,
       StatusCode::kInvalidArgument, "attribute 'alpha' is INT, expected FLOAT"},
      {"enumeration", OpRunner("Normalizer", 1, "ai.onnx.ml").With("norm", std::string("L3")), 1,
       StatusCode::kInvalidArgument, "'norm' is 'L3', expected MAX, L1 or L2"},
  };
  for (const BadNode& c : cases) {
    SCOPED_TRACE(c.what);
    const std::vector<TensorView> in(static_cast<size_t>(c.inputs), kMatrix.view());
    EXPECT_THAT(c.op.Make(in), StatusIs(c.code, AllOf(HasSubstr("'n'"), HasSubstr(c.message))));
  }
}

TEST(OpTable, RefusesARequiredInputLeftOut) {
  EXPECT_THAT(OpRunner("Gemm", 13).Make({kMatrix.view(), TensorView()}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("input 1 is missing")));
}

TEST(OpTable, NamesNodesWithoutAName) {
  NodeSpec node;
  node.op_type = "Gemm";
  EXPECT_EQ(node.DebugName(), "Gemm (unnamed)");
  node.name = "fc1";
  EXPECT_EQ(node.DebugName(), "Gemm 'fc1'");
}

TEST(OpTable, EntriesAreSane) {
  for (const OpEntry& entry : AllOps()) {
    SCOPED_TRACE(std::string(entry.type));
    EXPECT_LE(entry.first_opset, entry.last_opset);
    EXPECT_LE(entry.min_inputs, entry.max_inputs);
    EXPECT_LE(entry.min_outputs, entry.max_outputs);
    EXPECT_EQ(FindOp(entry.domain, entry.type, entry.first_opset), &entry);
    EXPECT_EQ(FindOp(entry.domain, entry.type, entry.last_opset), &entry);
  }
  EXPECT_EQ(FindOp("ai.onnx", "Relu", 14), FindOp("", "Relu", 14));
  EXPECT_NE(FindOp("", "Relu", 1), nullptr);
  EXPECT_EQ(FindOp("", "Nothing", 1), nullptr);
}

TEST(Attributes, ReadsTypedValuesAndDefaults) {
  Attributes a;
  ASSERT_OK(a.Add("i", int64_t{3}));
  ASSERT_OK(a.Add("s", std::string("x")));
  EXPECT_THAT(a.Add("i", 1.0F),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'i' is given twice")));
  EXPECT_EQ(*a.Int("i", 0), 3);
  EXPECT_EQ(*a.Int("absent", 7), 7);
  EXPECT_EQ(*a.String("s", ""), "x");
  EXPECT_EQ(*a.Floats("absent", {1, 2}), (std::vector<float>{1, 2}));
  EXPECT_THAT(a.Ints("s"), StatusIs(StatusCode::kInvalidArgument,
                                    HasSubstr("attribute 's' is STRING, expected INTS")));
  EXPECT_EQ(a.names(), (std::vector<std::string>{"i", "s"}));
  EXPECT_EQ(a.find("absent"), nullptr);
}

}  // namespace
}  // namespace sigserve
