#include "model/graph/passes/fuse_into.h"

#include "model/base/status_macros.h"
#include "model/graph/passes/graph_copier.h"

namespace sigserve {

absl::StatusOr<Graph> ApplyFusions(const Graph& graph, absl::Span<const FusionInto> fusions) {
  std::vector<bool> skipped(graph.nodes().size(), false);
  const auto skip = [&](const Node* node) {
    skipped[static_cast<size_t>(node - graph.nodes().data())] = true;
  };
  for (const FusionInto& fusion : fusions) {
    if (fusion.product != nullptr) skip(fusion.product);
    for (const Node* part : fusion.parts) skip(part);
  }
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (size_t i = 0; i < fusions.size(); ++i) {
    if (skipped[i]) continue;
    const Node& node = graph.nodes()[i];
    const Node* product = fusions[i].product;
    if (product == nullptr) {
      copier.CopyNode(node);
      continue;
    }
    NodeSpec spec = product->spec;
    spec.domain = std::string(kFusedDomain);
    for (const auto& [name, value] : fusions[i].attributes) {
      SIGSERVE_RETURN_IF_ERROR(spec.attributes.Add(name, value));
    }
    builder.AddNode(std::move(spec), copier.Copy(product->inputs), copier.Copy(node.outputs));
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
