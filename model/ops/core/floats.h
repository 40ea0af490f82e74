// For operators that take FLOAT32 or FLOAT64, the same everywhere.
#pragma once

#include "model/ops/core/maker.h"

namespace sigserve {

/// INVALID_ARGUMENT "X is INT64, expected FLOAT32 or FLOAT64" unless `operand` is one of them.
inline absl::Status ExpectFloat(const Operand& operand, absl::string_view what) {
  if (operand.type.dtype == DType::kFloat32 || operand.type.dtype == DType::kFloat64) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", Name(operand.type.dtype), ", expected FLOAT32 or FLOAT64"));
}

/// INVALID_ARGUMENT "left is FLOAT32, right is FLOAT64: they must be of one type" if they are not.
inline absl::Status ExpectSameType(const Operand& a, absl::string_view a_is, const Operand& b,
                                   absl::string_view b_is) {
  if (a.type.dtype == b.type.dtype) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(a_is, " is ", Name(a.type.dtype), ", ", b_is,
                                                 " is ", Name(b.type.dtype),
                                                 ": they must be of one type"));
}

}  // namespace sigserve
