// For the operators of ai.onnx.ml, which take FLOAT32, FLOAT64, INT32 or INT64 and give FLOAT32.
#pragma once

#include "model/ops/core/maker.h"

namespace sigserve {

/// A matrix of rows: one dimension is one row. INVALID_ARGUMENT for other ranks and for BOOL.
struct RowShape {
  int64_t rows = 1;
  int64_t columns = 1;
};
inline absl::StatusOr<RowShape> RowsOf(const Operand& x) {
  const Shape& shape = x.type.shape;
  if (x.type.dtype == DType::kBool) {
    return absl::InvalidArgumentError("input is BOOL, expected numbers");
  }
  if (shape.rank() != 1 && shape.rank() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("input is ", shape.ToString(), ", expected one or two dimensions"));
  }
  return shape.rank() == 1 ? RowShape{1, shape[0]} : RowShape{shape[0], shape[1]};
}

/// Calls f(span of the elements in their own type).
template <typename F>
void VisitNumbers(const TensorView& x, F f) {
  switch (x.dtype()) {
    case DType::kFloat32:
      return f(x.values<float>());
    case DType::kFloat64:
      return f(x.values<double>());
    case DType::kInt32:
      return f(x.values<int32_t>());
    case DType::kInt64:
      return f(x.values<int64_t>());
    case DType::kBool:
      return;
  }
}

}  // namespace sigserve
