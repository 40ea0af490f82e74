// ONNX files out: how training publishes. Other runtimes read the result (ir_version 8, opset 17 /
// ai.onnx.ml 3).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/graph/graph.h"

namespace sigserve {

/// The graph as a serialized ModelProto. A declared size of -1 in dimension 0 becomes the symbolic
/// dimension "N". The producer is named "sigserve", with `producer_version`. The same graph gives
/// the same bytes.
absl::StatusOr<std::string> WriteOnnx(const Graph& graph, absl::string_view producer_version);

}  // namespace sigserve
