#include "model/graph/passes/fuse_activation.h"

#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "model/graph/passes/fuse_into.h"
#include "model/graph/passes/uses.h"

namespace sigserve {
namespace {

// As ops/conv_weights.h names them.
struct Activation {
  ValueId input = kNoValue;
  absl::string_view name;
  float alpha = 0;
  float beta = 0;
  std::vector<const Node*> parts = {};  // nodes besides the last
};

/// A constant that broadcasts to any shape without changing it; absent inputs give `otherwise`.
std::optional<float> Scalar(const Graph& graph, const Node& node, size_t input, float otherwise) {
  if (input >= node.inputs.size() || node.inputs[input] == kNoValue) return otherwise;
  const Tensor* constant = FloatConstant(graph, node.inputs[input]);
  if (constant == nullptr || constant->elements() != 1 || constant->shape().rank() > 1) return {};
  return constant->values<float>()[0];
}

/// The number that a ConstantOfShape fills a tensor of x's shape with; its nodes go to `parts`.
std::optional<float> FillLike(const Graph& graph, const Uses& uses, ValueId fill, ValueId x,
                              std::vector<const Node*>& parts) {
  const Node* filled = SoleProducer(graph, uses, fill);
  if (filled == nullptr || !IsOnnx(*filled, "ConstantOfShape") || filled->inputs.size() != 1) {
    return {};
  }
  const Node* shape = SoleProducer(graph, uses, filled->inputs[0]);
  if (shape == nullptr || !IsOnnx(*shape, "Shape") || shape->inputs != std::vector<ValueId>{x} ||
      !shape->spec.attributes.names().empty()) {
    return {};
  }
  const AttributeValue* value = filled->spec.attributes.find("value");
  const auto* tensor =
      value == nullptr ? nullptr : std::get_if<std::shared_ptr<const Tensor>>(value);
  if (tensor == nullptr || (*tensor)->dtype() != DType::kFloat32 || (*tensor)->elements() != 1 ||
      !filled->spec.attributes.CheckKnown({"value"}).ok()) {
    return {};
  }
  parts.push_back(filled);
  parts.push_back(shape);
  return (*tensor)->values<float>()[0];
}

/// Where(x > t, x, v) and Where(x <= t, v, x). PyTorch writes v as a tensor of x's shape where that
/// is not fixed.
std::optional<Activation> ReadThreshold(const Graph& graph, const Uses& uses, const Node& where) {
  const Node* comparison = SoleProducer(graph, uses, where.inputs[0]);
  if (comparison == nullptr || comparison->inputs.size() != 2) return {};
  const bool greater = IsOnnx(*comparison, "Greater");
  if (!greater && !IsOnnx(*comparison, "LessOrEqual")) return {};
  const size_t kept = greater ? 1 : 2;
  const ValueId x = where.inputs[kept];
  if (x == kNoValue || x != comparison->inputs[0]) return {};
  Activation result{x, greater ? "Greater" : "Above", 0, 0, {comparison}};
  const std::optional<float> threshold = Scalar(graph, *comparison, 1, 0);
  std::optional<float> value = Scalar(graph, where, 3 - kept, 0);
  if (!value) value = FillLike(graph, uses, where.inputs[3 - kept], x, result.parts);
  const int readers = result.parts.size() == 1 ? 2 : 3;
  if (uses[x] != readers || !threshold || !value) return {};
  result.alpha = *threshold;
  result.beta = *value;
  return result;
}

std::optional<Activation> Read(const Graph& graph, const Uses& uses, const Node& node) {
  if (node.outputs.size() != 1 || node.inputs.empty()) return {};
  if (IsOnnx(node, "Where") && node.inputs.size() == 3) return ReadThreshold(graph, uses, node);
  if (node.inputs[0] == kNoValue || uses[node.inputs[0]] != 1) return {};
  const Attributes& attributes = node.spec.attributes;
  Activation result;
  result.input = node.inputs[0];
  if (IsOnnx(node, "Relu") && attributes.names().empty()) {
    result.name = "Relu";
  } else if (IsOnnx(node, "LeakyRelu") && attributes.CheckKnown({"alpha"}).ok()) {
    result.name = "Leaky";
    result.alpha = attributes.Float("alpha", 0.01F).value_or(NAN);
  } else if (IsOnnx(node, "ThresholdedRelu") && attributes.CheckKnown({"alpha"}).ok()) {
    result.name = "Above";
    result.alpha = attributes.Float("alpha", 1).value_or(NAN);
  } else if (IsOnnx(node, "Clip")) {
    // As ClipOp.
    const float lowest = -std::numeric_limits<float>::infinity();
    const float highest = std::numeric_limits<float>::infinity();
    result.name = "Clip";
    if (node.spec.opset < 11) {
      if (!attributes.CheckKnown({"min", "max"}).ok()) return {};
      result.alpha = attributes.Float("min", lowest).value_or(NAN);
      result.beta = attributes.Float("max", highest).value_or(NAN);
    } else {
      const std::optional<float> low = Scalar(graph, node, 1, lowest);
      const std::optional<float> high = Scalar(graph, node, 2, highest);
      if (!attributes.names().empty() || !low || !high) return {};
      result.alpha = *low;
      result.beta = *high;
    }
    if (!(result.alpha <= result.beta)) return {};
  } else {
    return {};
  }
  if (std::isnan(result.alpha)) return {};
  return result;
}

bool IsConvolution(const NodeSpec& spec) {
  return spec.op_type == "Conv" || spec.op_type == "ConvTranspose";
}

bool CanApply(const Node& product, const Activation& activation) {
  const NodeSpec& spec = product.spec;
  if (!spec.domain.empty() && spec.domain != kFusedDomain) return false;
  if (spec.attributes.has("activation")) return false;
  const bool dense = spec.op_type == "Gemm" || spec.op_type == "MatMul";
  return IsConvolution(spec) || (dense && activation.name == "Relu");
}

}  // namespace

absl::StatusOr<Graph> FuseActivation(const Graph& graph) {
  const Uses uses(graph);
  std::vector<FusionInto> fusions(graph.nodes().size());
  for (size_t i = 0; i < fusions.size(); ++i) {
    const std::optional<Activation> activation = Read(graph, uses, graph.nodes()[i]);
    if (!activation) continue;
    const Node* product = graph.producer(activation->input);
    if (product == nullptr || product->outputs.size() != 1) continue;
    if (!CanApply(*product, *activation)) continue;
    FusionInto& fusion = fusions[i];
    fusion.product = product;
    fusion.attributes.emplace_back("activation", std::string(activation->name));
    if (IsConvolution(product->spec)) {
      fusion.attributes.emplace_back("alpha", activation->alpha);
      fusion.attributes.emplace_back("beta", activation->beta);
    }
    fusion.parts.assign(activation->parts.begin(), activation->parts.end());
  }
  return ApplyFusions(graph, fusions);
}

}  // namespace sigserve
