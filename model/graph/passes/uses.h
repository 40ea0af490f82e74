// For the sources of this folder: who reads a value.
#pragma once

#include <vector>

#include "model/graph/graph.h"

namespace sigserve {

/// How often each value is read: by nodes, and as an output of the graph.
class Uses {
 public:
  explicit Uses(const Graph& graph) : counts_(graph.values().size(), 0) {
    for (const Node& node : graph.nodes()) {
      for (const ValueId id : node.inputs) {
        if (id != kNoValue) ++counts_[static_cast<size_t>(id)];
      }
    }
    for (const ValueId id : graph.outputs()) ++counts_[static_cast<size_t>(id)];
  }
  int operator[](ValueId id) const { return counts_[static_cast<size_t>(id)]; }

 private:
  std::vector<int> counts_;
};

inline bool IsOnnx(const Node& node, absl::string_view type) {
  return node.spec.domain.empty() && node.spec.op_type == type;
}

/// A FLOAT32 constant; null for anything else.
inline const Tensor* FloatConstant(const Graph& graph, ValueId id) {
  if (id == kNoValue) return nullptr;
  const Tensor* constant = graph.value(id).constant.get();
  return constant != nullptr && constant->dtype() == DType::kFloat32 ? constant : nullptr;
}

/// The node that computes `id` if exactly one node reads it; null otherwise, and for nodes with
/// several outputs.
inline const Node* SoleProducer(const Graph& graph, const Uses& uses, ValueId id) {
  if (id == kNoValue || uses[id] != 1) return nullptr;
  const Node* node = graph.producer(id);
  return node != nullptr && node->outputs.size() == 1 ? node : nullptr;
}

}  // namespace sigserve
