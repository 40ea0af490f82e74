// What is done to a graph before it is compiled because its configuration asks for it. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

/// For models whose outputs are logits: puts a Sigmoid behind each FLOAT32 or FLOAT64 output, which
/// keeps its name (graph/passes/append_sigmoid.h).
absl::StatusOr<Graph> WithProbabilities(const Graph& graph);

}  // namespace sigserve
