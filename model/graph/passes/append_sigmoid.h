// For models that end in logits (config: outputs_are_logits): puts a Sigmoid behind each FLOAT32 or
// FLOAT64 output. The output keeps its name; what used to have that name is now "<name>_logits".
// Outputs of other dtypes (class labels) stay as they are. An output that is an input of the graph,
// too, cannot keep its name: it becomes "<name>_probabilities".
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> AppendSigmoid(const Graph& graph);

}  // namespace sigserve
