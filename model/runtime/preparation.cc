#include "model/runtime/preparation.h"

#include "model/graph/passes/append_sigmoid.h"

namespace sigserve {

absl::StatusOr<Graph> WithProbabilities(const Graph& graph) { return AppendSigmoid(graph); }

}  // namespace sigserve
