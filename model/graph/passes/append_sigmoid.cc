#include "model/graph/passes/append_sigmoid.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/graph/passes/graph_copier.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

constexpr int kOpset = 17;

bool IsFloat(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat64; }

/// Whether a value is FLOAT32 or FLOAT64, going by the graph alone: most operators answer in the
/// dtype of their first input.
std::vector<bool> FindFloats(const Graph& graph) {
  std::vector<bool> is_float(graph.values().size(), false);
  for (size_t i = 0; i < is_float.size(); ++i) {
    const Value& value = graph.values()[i];
    is_float[i] = value.constant != nullptr && IsFloat(value.constant->dtype());
  }
  for (const GraphInput& input : graph.inputs()) {
    is_float[static_cast<size_t>(input.value)] = IsFloat(input.type.dtype);
  }
  static constexpr absl::string_view kOthers[] = {"ArgMax", "ArgMin", "Shape",   "Size",
                                                  "Less",   "Equal",  "Greater", "LessOrEqual",
                                                  "Not",    "And",    "Or",      "GreaterOrEqual"};
  constexpr int64_t kOnnxFloat = 1;
  constexpr int64_t kOnnxDouble = 11;
  for (const Node& node : graph.nodes()) {
    const std::string& type = node.spec.op_type;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      bool result = true;
      if (node.spec.domain == "ai.onnx.ml") {
        result = !(absl::EndsWith(type, "Classifier") && i == 0);
      } else if (std::find(std::begin(kOthers), std::end(kOthers), type) != std::end(kOthers)) {
        result = false;
      } else if (type == "Cast") {
        const int64_t to = node.spec.attributes.Int("to", kOnnxFloat).value_or(kOnnxFloat);
        result = to == kOnnxFloat || to == kOnnxDouble;
      } else if (!node.inputs.empty() && node.inputs[0] != kNoValue) {
        result = is_float[static_cast<size_t>(node.inputs[0])];
      }
      is_float[static_cast<size_t>(node.outputs[i])] = result;
    }
  }
  return is_float;
}

}  // namespace

absl::StatusOr<Graph> AppendSigmoid(const Graph& graph) {
  const std::vector<bool> is_float = FindFloats(graph);
  const GraphBuilder names(graph);
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();

  struct Addition {
    ValueId logits;
    std::string name;
  };
  std::vector<Addition> additions(graph.outputs().size(), {kNoValue, ""});
  for (size_t i = 0; i < additions.size(); ++i) {
    const ValueId id = graph.outputs()[i];
    if (!is_float[static_cast<size_t>(id)]) continue;
    const std::string& name = graph.value(id).name;
    const bool is_input = graph.producer(id) == nullptr && graph.value(id).constant == nullptr;
    if (is_input) {
      additions[i] = {id, names.UniqueName(absl::StrCat(name, "_probabilities"))};
    } else {
      copier.Rename(id, names.UniqueName(absl::StrCat(name, "_logits")));
      additions[i] = {id, name};
    }
  }
  for (const Node& node : graph.nodes()) copier.CopyNode(node);
  for (size_t i = 0; i < additions.size(); ++i) {
    if (additions[i].logits == kNoValue) {
      builder.AddOutput(copier.Copy(graph.outputs()[i]));
      continue;
    }
    const auto first = std::find_if(additions.begin(), additions.end(), [&](const Addition& a) {
      return a.logits == additions[i].logits;
    });
    if (first == additions.begin() + static_cast<ptrdiff_t>(i)) {
      NodeSpec spec;
      spec.name = additions[i].name;
      spec.op_type = "Sigmoid";
      spec.opset = kOpset;
      builder.AddNode(std::move(spec), {copier.Copy(additions[i].logits)},
                      {builder.ValueNamed(additions[i].name)});
    }
    builder.AddOutput(builder.ValueNamed(additions[i].name));
  }
  return std::move(builder).Build();
}

}  // namespace sigserve
