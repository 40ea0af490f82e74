// BatchNormalization with constants after Conv, ConvTranspose or Gemm with constant weights: folded
// into the weights and the bias, in double precision. Results move by roundings; a node whose
// constants are not valid stays, for the compiler to report.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> FoldBatchNorm(const Graph& graph);

}  // namespace sigserve
