#include "model/graph/passes/fuse_gelu.h"

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "model/graph/passes/graph_copier.h"
#include "model/graph/passes/uses.h"

namespace sigserve {
namespace {

constexpr int kGeluOpset = 20;
constexpr float kSqrt2 = 1.41421356F;

/// The node of this type that computes `id`; null if another does.
const Node* Producer(const Graph& graph, ValueId id, absl::string_view type, size_t inputs) {
  const Node* node = id == kNoValue ? nullptr : graph.producer(id);
  const bool fits = node != nullptr && IsOnnx(*node, type) && node->inputs.size() == inputs;
  return fits ? node : nullptr;
}

/// Whether `id` is a FLOAT32 scalar constant near `value`.
bool IsScalar(const Graph& graph, ValueId id, float value) {
  const Tensor* constant = FloatConstant(graph, id);
  return constant != nullptr && constant->shape().rank() == 0 &&
         std::abs(constant->values<float>()[0] - value) <= 2e-7F;
}

/// x, if `id` is Erf(x / sqrt(2)) + 1; else kNoValue.
ValueId ErfArgument(const Graph& graph, ValueId id) {
  const Node* add = Producer(graph, id, "Add", 2);
  if (add == nullptr) return kNoValue;
  const bool one_first = IsScalar(graph, add->inputs[0], 1);
  if (!one_first && !IsScalar(graph, add->inputs[1], 1)) return kNoValue;
  const Node* erf = Producer(graph, add->inputs[one_first ? 1 : 0], "Erf", 1);
  if (erf == nullptr) return kNoValue;
  const Node* div = Producer(graph, erf->inputs[0], "Div", 2);
  if (div != nullptr) return IsScalar(graph, div->inputs[1], kSqrt2) ? div->inputs[0] : kNoValue;
  const Node* mul = Producer(graph, erf->inputs[0], "Mul", 2);
  if (mul == nullptr) return kNoValue;
  if (IsScalar(graph, mul->inputs[1], 1 / kSqrt2)) return mul->inputs[0];
  return IsScalar(graph, mul->inputs[0], 1 / kSqrt2) ? mul->inputs[1] : kNoValue;
}

/// x, if the three factors are x, Erf(x / sqrt(2)) + 1 and 0.5 in any order; else kNoValue.
ValueId GeluArgument(const Graph& graph, const std::array<ValueId, 3>& factors) {
  for (size_t i = 0; i < 3; ++i) {
    const ValueId x = ErfArgument(graph, factors[i]);
    const ValueId a = factors[(i + 1) % 3];
    const ValueId b = factors[(i + 2) % 3];
    if (x != kNoValue &&
        ((a == x && IsScalar(graph, b, 0.5F)) || (b == x && IsScalar(graph, a, 0.5F)))) {
      return x;
    }
  }
  return kNoValue;
}

/// The same for a node that may be the outer of two products.
ValueId GeluArgument(const Graph& graph, const Node& node) {
  if (!IsOnnx(node, "Mul") || node.inputs.size() != 2) return kNoValue;
  for (size_t i = 0; i < 2; ++i) {
    const Node* inner = Producer(graph, node.inputs[i], "Mul", 2);
    if (inner == nullptr) continue;
    const ValueId x = GeluArgument(graph, {inner->inputs[0], inner->inputs[1], node.inputs[1 - i]});
    if (x != kNoValue) return x;
  }
  return kNoValue;
}

}  // namespace

absl::StatusOr<Graph> FuseGelu(const Graph& graph) {
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (const Node& node : graph.nodes()) {
    const ValueId x = GeluArgument(graph, node);
    if (x == kNoValue) {
      copier.CopyNode(node);
      continue;
    }
    NodeSpec gelu;
    gelu.name = node.spec.name;
    gelu.op_type = "Gelu";
    gelu.opset = kGeluOpset;
    builder.AddNode(std::move(gelu), copier.Copy(std::vector<ValueId>{x}),
                    copier.Copy(node.outputs));
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
