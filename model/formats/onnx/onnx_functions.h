// For the sources of this folder: functions that a model defines for itself. None is supported.
#pragma once

#include "absl/status/status.h"
#include "onnx/onnx.pb.h"

namespace sigserve {

/// OK without functions. UNIMPLEMENTED ONNX_OP names the first; INVALID_ARGUMENT: ONNX_NAME,
/// ONNX_CYCLE (a function that calls itself, directly or through others), ONNX_DEPTH (calls more
/// than 100 deep).
absl::Status RefuseFunctions(const onnx::ModelProto& model);

}  // namespace sigserve
