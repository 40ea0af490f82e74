// Log(Sigmoid(x)), as PyTorch exports LogSigmoid, is -infinity for x below -104 and coarse long
// before: becomes LogSigmoid of the fused domain. A Sigmoid that others read, too, stays for them.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> StableLogSigmoid(const Graph& graph);

}  // namespace sigserve
