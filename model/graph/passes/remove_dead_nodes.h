// Drops nodes and constants that no output depends on. Inputs stay, used or not.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> RemoveDeadNodes(const Graph& graph);

}  // namespace sigserve
