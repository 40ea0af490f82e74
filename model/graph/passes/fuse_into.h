// For fuse_activation.cc and fuse_pool.cc: nodes that become attributes of the product they read.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/graph/graph.h"

namespace sigserve {

/// What becomes of one node.
struct FusionInto {
  /// Gets the node's outputs, the attributes and kFusedDomain; null: the node stays as it is.
  const Node* product = nullptr;
  std::vector<std::pair<std::string, AttributeValue>> attributes;
  /// Other nodes that go with it.
  std::vector<const Node*> parts;
};

/// The graph without the products and parts where they used to be. `fusions`: one per node.
absl::StatusOr<Graph> ApplyFusions(const Graph& graph, absl::Span<const FusionInto> fusions);

}  // namespace sigserve
