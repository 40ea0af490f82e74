// For executable.cc: the stable token that every error of Compile() starts with. Pure.
#pragma once

#include "absl/status/status.h"

namespace sigserve {

/// ONNX_ATTR: a node asks for something that is not valid whatever it is given; ONNX_SHAPE: nodes'
/// shapes or types do not meet; ONNX_TENSOR_LIMIT: a result would be too large; ONNX_OP: something
/// we lack. Messages that start with a token of the graph's own keep it.
absl::Status WithCompileToken(const absl::Status& status);

}  // namespace sigserve
