// Conv, its activation perhaps in it, then MaxPool over 2 or 4 neighbours in the last dimension,
// windows side by side: becomes one node, which stores the maxima only. The same bits.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> FusePool(const Graph& graph);

}  // namespace sigserve
