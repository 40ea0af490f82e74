// Takes out Identity and Dropout nodes, so that other passes see what lies behind them. Those whose
// result is an output of the graph stay: they carry its name. So do those that are not valid, for
// the compiler to report.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace sigserve {

absl::StatusOr<Graph> RemoveIdentities(const Graph& graph);

}  // namespace sigserve
