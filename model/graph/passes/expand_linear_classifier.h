// Splits ONNX-ML's LinearClassifier with post_transform LOGISTIC or SOFTMAX into the classifier
// without a post-transform and a Sigmoid or Softmax node, so that the logits exist as a value of
// their own. A binary classifier with one row of coefficients gets its second row (the first one's
// negative). Labels come from the raw scores either way, so they do not change.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> ExpandLinearClassifier(const Graph& graph);

}  // namespace sigserve
