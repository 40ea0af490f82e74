// Computes now what does not depend on the inputs. Results over 16 MiB (or 256 MiB together) stay
// nodes, so that a small file cannot claim a large memory at load. Errors of the operators name the
// node.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> FoldConstants(const Graph& graph);

}  // namespace sigserve
