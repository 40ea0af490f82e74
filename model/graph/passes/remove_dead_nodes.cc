#include "model/graph/passes/remove_dead_nodes.h"

#include <algorithm>
#include <vector>

#include "model/graph/passes/graph_copier.h"

namespace sigserve {

absl::StatusOr<Graph> RemoveDeadNodes(const Graph& graph) {
  std::vector<bool> needed(graph.values().size(), false);
  for (const ValueId output : graph.outputs()) needed[static_cast<size_t>(output)] = true;
  std::vector<bool> alive(graph.nodes().size(), false);
  for (size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    alive[i] = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
      return id != kNoValue && needed[static_cast<size_t>(id)];
    });
    if (!alive[i]) continue;
    for (const ValueId input : node.inputs) {
      if (input != kNoValue) needed[static_cast<size_t>(input)] = true;
    }
  }
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    if (alive[i]) copier.CopyNode(graph.nodes()[i]);
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
