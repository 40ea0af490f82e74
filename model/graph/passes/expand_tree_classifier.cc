#include "model/graph/passes/expand_tree_classifier.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/passes/graph_copier.h"
#include "model/ops/ml/tree_ensemble.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

constexpr int kOpset = 17;

bool IsTreeClassifier(const Node& node) {
  return node.spec.domain == "ai.onnx.ml" && node.spec.op_type == "TreeEnsembleClassifier" &&
         node.outputs.size() == 2 && node.outputs[1] != kNoValue;
}

// "Sigmoid" or "Softmax"; empty: leave the node as it is. Attributes of the wrong type are left to
// the operator to refuse.
absl::StatusOr<std::string> LinkOf(const Attributes& attributes) {
  SIGSERVE_ASSIGN_OR_RETURN(const std::string post, attributes.String("post_transform", "NONE"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto ints, attributes.Ints("classlabels_int64s"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto strings, attributes.Strings("classlabels_strings"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto ids, attributes.Ints("class_ids"));
  SIGSERVE_ASSIGN_OR_RETURN(const auto weights, TreeNumbers(attributes, "class_weights"));
  const size_t labels = ints.size() + strings.size();
  const bool one_score =
      std::adjacent_find(ids.begin(), ids.end(), std::not_equal_to<>()) == ids.end();
  const bool has_negative =
      std::any_of(weights.begin(), weights.end(), [](double w) { return w < 0; });
  const bool each_class = labels > 2 || (labels == 2 && !one_score);
  std::string link;
  if (post == "LOGISTIC" && (each_class || (labels == 2 && has_negative))) link = "Sigmoid";
  if (post == "SOFTMAX" && each_class) link = "Softmax";
  return FindOp("", link, kOpset) == nullptr ? std::string() : link;
}

absl::StatusOr<NodeSpec> WithoutTransform(const NodeSpec& node) {
  NodeSpec raw = node;
  raw.attributes = Attributes();
  for (const std::string& name : node.attributes.names()) {
    if (name == "post_transform") continue;
    SIGSERVE_RETURN_IF_ERROR(raw.attributes.Add(name, *node.attributes.find(name)));
  }
  return raw;
}

}  // namespace

absl::StatusOr<Graph> ExpandTreeClassifier(const Graph& graph) {
  const GraphBuilder names(graph);
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (const Node& node : graph.nodes()) {
    std::string link_type;
    if (IsTreeClassifier(node)) {
      auto link = LinkOf(node.spec.attributes);
      if (!link.ok()) return Annotate(link.status(), node.spec.DebugName());
      link_type = *std::move(link);
    }
    if (link_type.empty()) {
      copier.CopyNode(node);
      continue;
    }
    SIGSERVE_ASSIGN_OR_RETURN(NodeSpec raw, WithoutTransform(node.spec));
    const ValueId scores = copier.Copy(node.outputs[1]);
    const ValueId logits = builder.ValueNamed(
        names.UniqueName(absl::StrCat(graph.value(node.outputs[1]).name, "_logits")));
    NodeSpec link;
    link.name = node.spec.name;
    link.op_type = link_type;
    link.opset = kOpset;
    builder.AddNode(std::move(raw), copier.Copy(node.inputs),
                    {copier.Copy(node.outputs[0]), logits});
    builder.AddNode(std::move(link), {logits}, {scores});
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
