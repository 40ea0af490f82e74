#include "model/graph/graph.h"

namespace sigserve {

const Node* Graph::producer(ValueId id) const {
  const int node = producers_[static_cast<size_t>(id)];
  return node < 0 ? nullptr : &nodes_[static_cast<size_t>(node)];
}

}  // namespace sigserve
