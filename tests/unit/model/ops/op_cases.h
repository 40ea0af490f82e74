// Tables of operators with inputs and what comes of them.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/unit/model/ops/op_runner.h"

namespace sigserve {

template <typename T>
Tensor Filled(const Shape& shape, const std::vector<T>& values) {
  Tensor t(DTypeOf<T>, shape);
  std::copy(values.begin(), values.end(), static_cast<T*>(t.mutable_view().data()));
  return t;
}
inline Tensor F(const Shape& shape, const std::vector<float>& values) {
  return Filled(shape, values);
}
inline Tensor D(const Shape& shape, const std::vector<double>& values) {
  return Filled(shape, values);
}
inline Tensor I(const Shape& shape, const std::vector<int64_t>& values) {
  return Filled(shape, values);
}
inline Tensor I32(const Shape& shape, const std::vector<int32_t>& values) {
  return Filled(shape, values);
}
inline Tensor B(const Shape& shape, const std::vector<bool>& values) {
  return Filled(shape, values);
}

template <typename... T>
std::vector<Tensor> In(T... tensors) {
  std::vector<Tensor> result;
  (result.push_back(std::move(tensors)), ...);
  return result;
}

inline std::vector<TensorView> Views(const std::vector<Tensor>& tensors) {
  std::vector<TensorView> views;
  for (const Tensor& t : tensors) {
    views.push_back(t.view());
  }
  return views;
}

/// FLOAT32 to 4 ULP, everything else exactly; NaN equals NaN.
inline void ExpectEqual(const Tensor& got, const Tensor& expected) {
  ASSERT_EQ(got.dtype(), expected.dtype());
  ASSERT_EQ(got.shape(), expected.shape());
  const auto n = static_cast<size_t>(got.shape().elements());
  for (size_t i = 0; i < n; ++i) {
    SCOPED_TRACE(testing::Message() << "element " << i);
    switch (got.dtype()) {
      case DType::kFloat32:
        if (got.values<float>()[i] != got.values<float>()[i]) {
          EXPECT_NE(expected.values<float>()[i], expected.values<float>()[i]);
        } else {
          EXPECT_FLOAT_EQ(got.values<float>()[i], expected.values<float>()[i]);
        }
        break;
      case DType::kFloat64:
        EXPECT_DOUBLE_EQ(got.values<double>()[i], expected.values<double>()[i]);
        break;
      case DType::kInt32:
        EXPECT_EQ(got.values<int32_t>()[i], expected.values<int32_t>()[i]);
        break;
      case DType::kInt64:
        EXPECT_EQ(got.values<int64_t>()[i], expected.values<int64_t>()[i]);
        break;
      case DType::kBool:
        EXPECT_EQ(got.values<bool>()[i], expected.values<bool>()[i]);
        break;
    }
  }
}

struct OpCase {
  const char* name;
  OpRunner op;
  std::vector<Tensor> in;
  std::vector<Tensor> expected;
};

/// All inputs' values are known to Infer(), as where constants and shapes decide them.
inline void ExpectResults(const std::vector<OpCase>& cases) {
  for (const OpCase& c : cases) {
    SCOPED_TRACE(testing::Message()
                 << c.op.node.op_type << "-" << c.op.node.opset << ": " << c.name);
    OpRunner op = c.op;
    op.Outputs(static_cast<int>(c.expected.size()));
    ASSERT_OK_AND_ASSIGN(const std::vector<Tensor> got, op.RunAll(Views(c.in)));
    for (size_t i = 0; i < got.size(); ++i) {
      SCOPED_TRACE(testing::Message() << "output " << i);
      ExpectEqual(got[i], c.expected[i]);
    }
  }
}

struct OpRefusal {
  OpRunner op;
  std::vector<Tensor> in;
  const char* message;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

inline void ExpectRefusals(const std::vector<OpRefusal>& cases) {
  for (const OpRefusal& c : cases) {
    SCOPED_TRACE(testing::Message()
                 << c.op.node.op_type << "-" << c.op.node.opset << ": " << c.message);
    EXPECT_THAT(c.op.RunAll(Views(c.in)), StatusIs(c.code, testing::HasSubstr(c.message)));
  }
}

/// Whether Infer() with input `unknown`'s value withheld says UNIMPLEMENTED, naming it.
inline absl::Status InferWithout(const OpRunner& op, const std::vector<Tensor>& in,
                                 size_t unknown) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::unique_ptr<const Op> made, op.Make(Views(in)));
  std::vector<TensorView> views = Views(in);
  std::vector<Operand> operands = OpRunner::Operands(views);
  operands[unknown].value = TensorView(in[unknown].dtype(), in[unknown].shape(), nullptr);
  std::vector<TensorType> types(static_cast<size_t>(op.outputs));
  return made->Infer(operands, absl::MakeSpan(types));
}

}  // namespace sigserve
