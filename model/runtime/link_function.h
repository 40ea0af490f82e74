// For the sources of this folder: what an output's numbers are, read off the nodes that end in it.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "model/graph/graph.h"
#include "model/runtime/signature.h"

namespace sigserve {

struct LinkFunction {
  Link link = Link::kNone;
  /// The inputs of the final sigmoid or softmax, element for element those of the output (the shape
  /// may differ); kNoValue where there are none.
  ValueId logits = kNoValue;
  /// Class labels that the model carries.
  std::vector<std::string> labels;
};

/// `rank`: the output's; -1 when it is not known.
LinkFunction FindLinkFunction(const Graph& graph, ValueId output, int rank);

}  // namespace sigserve
