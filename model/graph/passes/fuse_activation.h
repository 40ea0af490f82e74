// Gemm, MatMul, Conv or ConvTranspose, then an activation that its kernel can apply before it
// stores: Relu; for convolutions also LeakyRelu, Clip, ThresholdedRelu, and torch's Threshold as
// exported (a comparison with a constant, Where, and perhaps a tensor that is filled with the other
// value). Becomes one node of the fused domain. The same bits.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> FuseActivation(const Graph& graph);

}  // namespace sigserve
