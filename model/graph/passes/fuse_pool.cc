#include "model/graph/passes/fuse_pool.h"

#include <cstdint>
#include <vector>

#include "absl/algorithm/container.h"
#include "model/graph/passes/fuse_into.h"
#include "model/graph/passes/uses.h"

namespace sigserve {
namespace {

/// All entries are `value`, or there are none.
bool All(const Attributes& attributes, absl::string_view name, int64_t value) {
  const absl::StatusOr<std::vector<int64_t>> list = attributes.Ints(name);
  return list.ok() && absl::c_all_of(*list, [=](int64_t entry) { return entry == value; });
}

/// The width of a pool's window where it can be fused, and its dimensions; 0 otherwise.
int64_t PoolWidth(const Node& node, size_t& rank) {
  const Attributes& attributes = node.spec.attributes;
  const absl::StatusOr<std::vector<int64_t>> kernel = attributes.Ints("kernel_shape");
  if (!IsOnnx(node, "MaxPool") || node.inputs.size() != 1 || node.outputs.size() != 1 ||
      !kernel.ok() || kernel->empty() || attributes.Ints("strides").value_or(*kernel) != *kernel ||
      !attributes.has("strides") || !All(attributes, "pads", 0) ||
      !All(attributes, "dilations", 1) || attributes.Int("ceil_mode", 0).value_or(1) != 0 ||
      !attributes
           .CheckKnown(
               {"kernel_shape", "strides", "pads", "dilations", "ceil_mode", "storage_order"})
           .ok()) {
    return 0;
  }
  rank = kernel->size();
  for (size_t i = 0; i + 1 < rank; ++i) {
    if ((*kernel)[i] != 1) return 0;
  }
  return kernel->back() == 2 || kernel->back() == 4 ? kernel->back() : 0;
}

/// The convolution that a pool reads, if it may take it in.
const Node* Convolution(const Graph& graph, const Uses& uses, ValueId id, size_t rank) {
  const Node* conv = SoleProducer(graph, uses, id);
  if (conv == nullptr || conv->spec.op_type != "Conv" || conv->inputs.size() < 2 ||
      (!conv->spec.domain.empty() && conv->spec.domain != kFusedDomain)) {
    return nullptr;
  }
  const Tensor* weights = FloatConstant(graph, conv->inputs[1]);
  if (weights == nullptr || weights->shape().rank() != static_cast<int>(rank) + 2) return nullptr;
  return conv->spec.attributes.has("pool") ? nullptr : conv;
}

}  // namespace

absl::StatusOr<Graph> FusePool(const Graph& graph) {
  const Uses uses(graph);
  std::vector<FusionInto> fusions(graph.nodes().size());
  for (size_t i = 0; i < fusions.size(); ++i) {
    const Node& node = graph.nodes()[i];
    size_t rank = 0;
    const int64_t width = PoolWidth(node, rank);
    const Node* conv = width == 0 ? nullptr : Convolution(graph, uses, node.inputs[0], rank);
    if (conv == nullptr) continue;
    fusions[i].product = conv;
    fusions[i].attributes.emplace_back("pool", width);
  }
  return ApplyFusions(graph, fusions);
}

}  // namespace sigserve
