// Splits ONNX-ML's TreeEnsembleClassifier with post_transform LOGISTIC or SOFTMAX into the
// classifier without a post-transform and a Sigmoid or Softmax node, so that the logits exist as a
// value of their own. Labels come from the raw scores either way, so they do not change. Leaves
// alone what the operator does not transform: one label; two labels of which only one has weights,
// none of them negative (probabilities already).
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> ExpandTreeClassifier(const Graph& graph);

}  // namespace sigserve
