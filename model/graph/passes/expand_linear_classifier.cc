#include "model/graph/passes/expand_linear_classifier.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/passes/graph_copier.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

constexpr int kOpset = 17;

struct Expansion {
  NodeSpec raw;      // the classifier that answers logits
  std::string link;  // "Sigmoid" or "Softmax"; empty: leave the node as it is
};

std::vector<float> Mirrored(const std::vector<float>& row) {
  std::vector<float> rows;
  rows.reserve(row.size() * 2);
  for (const float x : row) rows.push_back(-x);
  rows.insert(rows.end(), row.begin(), row.end());
  return rows;
}

absl::StatusOr<Expansion> Plan(const NodeSpec& node) {
  const Attributes& attributes = node.attributes;
  SIGSERVE_ASSIGN_OR_RETURN(const std::string post, attributes.String("post_transform", "NONE"));
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<float> coefficients,
                            attributes.Floats("coefficients"));
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<float> intercepts, attributes.Floats("intercepts"));
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<int64_t> ints, attributes.Ints("classlabels_ints"));
  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<std::string> strings,
                            attributes.Strings("classlabels_strings"));
  const size_t labels = ints.empty() ? strings.size() : ints.size();
  // Without intercepts the number of rows is not known here: the features are not.
  const bool one_row = intercepts.size() == 1;
  const bool plain = !intercepts.empty() && intercepts.size() == labels;
  std::string link;
  if (post == "LOGISTIC" && (plain || (one_row && labels == 2))) link = "Sigmoid";
  if (post == "SOFTMAX" && plain && !one_row) link = "Softmax";
  if (link.empty() || FindOp("", link, kOpset) == nullptr) return Expansion{};

  Expansion expansion{node, link};
  expansion.raw.attributes = Attributes();
  for (const std::string& name : attributes.names()) {
    AttributeValue value = *attributes.find(name);
    if (name == "post_transform") value = std::string("NONE");
    if (one_row && labels == 2 && name == "coefficients") value = Mirrored(coefficients);
    if (one_row && labels == 2 && name == "intercepts") value = Mirrored(intercepts);
    SIGSERVE_RETURN_IF_ERROR(expansion.raw.attributes.Add(name, std::move(value)));
  }
  return expansion;
}

}  // namespace

absl::StatusOr<Graph> ExpandLinearClassifier(const Graph& graph) {
  const GraphBuilder names(graph);
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (const Node& node : graph.nodes()) {
    Expansion expansion;
    if (node.spec.domain == "ai.onnx.ml" && node.spec.op_type == "LinearClassifier" &&
        node.outputs.size() == 2 && node.outputs[1] != kNoValue) {
      auto planned = Plan(node.spec);
      if (!planned.ok()) return Annotate(planned.status(), node.spec.DebugName());
      expansion = *std::move(planned);
    }
    if (expansion.link.empty()) {
      copier.CopyNode(node);
      continue;
    }
    const ValueId scores = copier.Copy(node.outputs[1]);
    const ValueId logits = builder.ValueNamed(
        names.UniqueName(absl::StrCat(graph.value(node.outputs[1]).name, "_logits")));
    NodeSpec link;
    link.name = node.spec.name;
    link.op_type = expansion.link;
    link.opset = kOpset;
    builder.AddNode(std::move(expansion.raw), copier.Copy(node.inputs),
                    {copier.Copy(node.outputs[0]), logits});
    builder.AddNode(std::move(link), {logits}, {scores});
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
