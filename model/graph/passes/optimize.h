// All passes that make a graph cheaper or more exact to run, in their order: constants folded,
// identities out, functions that were written out of parts made whole, dead nodes out; then biases,
// batch normalization and activations into the products before them.
// Inputs and outputs keep their names, and a final Sigmoid or Softmax stays a node of its own: its
// input is the logits.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

/// Errors are those of FoldConstants: what is wrong with a node whose inputs are all constants.
absl::StatusOr<Graph> Optimize(const Graph& graph);

}  // namespace sigserve
