#include "model/runtime/compile_error.h"

#include "model/base/error_tokens.h"
#include "model/base/status_macros.h"
#include "model/ops/core/attribute_error.h"

namespace sigserve {

absl::Status WithCompileToken(const absl::Status& status) {
  if (!TokenOf(status.message()).empty()) return status;
  if (IsAttributeError(status)) return Annotate(status, "ONNX_ATTR");
  if (absl::IsInvalidArgument(status)) return Annotate(status, "ONNX_SHAPE");
  if (absl::IsResourceExhausted(status)) return Annotate(status, "ONNX_TENSOR_LIMIT");
  if (absl::IsUnimplemented(status)) return Annotate(status, "ONNX_OP");
  return status;
}

}  // namespace sigserve
