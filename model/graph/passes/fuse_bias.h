// MatMul or Conv, then Add of a constant with one number per column or channel: becomes the bias of
// one node. The same bits.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> FuseBias(const Graph& graph);

}  // namespace sigserve
