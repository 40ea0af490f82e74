// From a description of layers (architecture.proto, in text) and weights by name to a graph: the
// way in for formats that hold weights alone. Pure; thread-safe.
//
// Weights are found by the names PyTorch gives them ("0.weight", "features.3.running_mean"). When
// every name of the file starts with "module." (DataParallel) or "_orig_mod." (torch.compile), and
// the architecture's do not, that prefix is ignored. "num_batches_tracked" is never needed.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/weights/named_tensors.h"
#include "model/graph/graph.h"

namespace sigserve {

/// INVALID_ARGUMENT: ARCH_PARSE (with line and column), ARCH_ARGUMENT (an argument missing, wrong
/// or not one of the layer's: names both), ARCH_INPUT, PT_KEYS (lists what is missing, what is left
/// over, and what has another shape); UNIMPLEMENTED: ARCH_LAYER (a layer we lack), GRAPH_OP.
absl::StatusOr<Graph> BuildFromArchitecture(absl::string_view textproto, NamedTensors weights);

}  // namespace sigserve
