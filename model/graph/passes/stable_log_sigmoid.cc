#include "model/graph/passes/stable_log_sigmoid.h"

#include <utility>
#include <vector>

#include "model/graph/passes/graph_copier.h"
#include "model/graph/passes/uses.h"

namespace sigserve {
namespace {

/// What the sigmoid before this Log reads; kNoValue if this is something else.
ValueId SigmoidInput(const Graph& graph, const Node& node) {
  const bool is_log = IsOnnx(node, "Log") && node.inputs.size() == 1 && node.outputs.size() == 1 &&
                      node.inputs[0] != kNoValue && node.spec.attributes.names().empty();
  const Node* before = is_log ? graph.producer(node.inputs[0]) : nullptr;
  const bool is_sigmoid = before != nullptr && IsOnnx(*before, "Sigmoid") &&
                          before->inputs.size() == 1 && before->spec.attributes.names().empty();
  return is_sigmoid ? before->inputs[0] : kNoValue;
}

}  // namespace

absl::StatusOr<Graph> StableLogSigmoid(const Graph& graph) {
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (const Node& node : graph.nodes()) {
    const ValueId x = SigmoidInput(graph, node);
    if (x == kNoValue) {
      copier.CopyNode(node);
      continue;
    }
    NodeSpec spec = node.spec;
    spec.domain = std::string(kFusedDomain);
    spec.op_type = "LogSigmoid";
    builder.AddNode(std::move(spec), copier.Copy(std::vector<ValueId>{x}),
                    copier.Copy(node.outputs));
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
