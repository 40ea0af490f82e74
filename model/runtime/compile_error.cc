#include "model/runtime/compile_error.h"

#include "absl/strings/match.h"
#include "model/base/status_macros.h"
#include "model/ops/core/attribute_error.h"

namespace sigserve {

absl::Status WithToken(const absl::Status& status) {
  if (absl::StartsWith(status.message(), "GRAPH_")) return status;
  if (IsAttributeError(status)) return Annotate(status, "ONNX_ATTR");
  if (absl::IsInvalidArgument(status)) return Annotate(status, "ONNX_SHAPE");
  if (absl::IsResourceExhausted(status)) return Annotate(status, "ONNX_TENSOR_LIMIT");
  if (absl::IsUnimplemented(status)) return Annotate(status, "ONNX_OP");
  return status;
}

}  // namespace sigserve
