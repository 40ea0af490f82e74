#include "model/graph/passes/remove_identities.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "model/graph/passes/graph_copier.h"
#include "model/graph/passes/uses.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

bool IsIdentity(const Graph& graph, const Uses& uses, const Node& node) {
  if (!IsOnnx(node, "Identity") && !IsOnnx(node, "Dropout")) return false;
  if (node.inputs.empty() || node.inputs[0] == kNoValue || node.outputs.empty()) return false;
  // A third input may ask for training.
  if (node.inputs.size() > 2 || node.outputs[0] == kNoValue) return false;
  if (node.outputs.size() > 1 && node.outputs[1] != kNoValue && uses[node.outputs[1]] > 0) {
    return false;
  }
  const auto outputs = graph.outputs();
  if (std::find(outputs.begin(), outputs.end(), node.outputs[0]) != outputs.end()) return false;
  const absl::InlinedVector<TensorView, 2> constants(node.inputs.size());
  absl::InlinedVector<bool, 2> present;
  for (const ValueId id : node.inputs) present.push_back(id != kNoValue);
  return MakeOp(node.spec, static_cast<int>(node.outputs.size()), constants, present).ok();
}

}  // namespace

absl::StatusOr<Graph> RemoveIdentities(const Graph& graph) {
  const Uses uses(graph);
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (const Node& node : graph.nodes()) {
    if (IsIdentity(graph, uses, node)) {
      copier.Redirect(node.outputs[0], node.inputs[0]);
    } else {
      copier.CopyNode(node);
    }
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
