// What every operator's source shares: the signature of a maker (one per operator, two where an
// opset changed the meaning; op_table.cc lists them) and the most common checks of Infer().
#pragma once

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/ops/core/op.h"

namespace sigserve {

using OpMaker = absl::StatusOr<std::unique_ptr<const Op>>(const NodeSpec& node,
                                                          absl::Span<const TensorView> constants);

/// Sets an output's type. INVALID_ARGUMENT when the shape is too large to have a size in bytes.
inline absl::Status SetOutput(DType dtype, Shape shape, TensorType& out) {
  SIGSERVE_RETURN_IF_ERROR(CheckedBytes(shape, SizeOf(dtype)).status());
  out = {dtype, std::move(shape)};
  return absl::OkStatus();
}

/// INVALID_ARGUMENT "X is INT64, expected FLOAT32" unless `operand` is FLOAT32.
inline absl::Status ExpectFloat32(const Operand& operand, absl::string_view what) {
  if (operand.type.dtype == DType::kFloat32) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", Name(operand.type.dtype), ", expected FLOAT32"));
}

}  // namespace sigserve
