// x * (Erf(x / sqrt(2)) + 1) * 0.5, as PyTorch exports GELU before opset 20, overflows for the
// largest x and loses its left tail to cancellation: becomes Gelu(x). Nodes that others read stay
// for them.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> FuseGelu(const Graph& graph);

}  // namespace sigserve
