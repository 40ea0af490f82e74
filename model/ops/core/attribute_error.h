// INVALID_ARGUMENT for what a node asks for by its attributes, or by inputs that play their part
// (axes, steps, bounds): no input data could make it valid. The compiler reports these as ONNX_ATTR
// and the others, where shapes do not meet, as ONNX_SHAPE. The mark survives Annotate().
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sigserve {

absl::Status AttributeError(absl::string_view message);
/// Marks any INVALID_ARGUMENT; other codes stay as they are.
absl::Status AsAttributeError(absl::Status status);
bool IsAttributeError(const absl::Status& status);

}  // namespace sigserve
