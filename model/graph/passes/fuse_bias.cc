#include "model/graph/passes/fuse_bias.h"

#include <utility>
#include <vector>

#include "model/graph/passes/graph_copier.h"
#include "model/graph/passes/uses.h"

namespace sigserve {
namespace {

struct Fusion {
  const Node* product = nullptr;
  ValueId bias = kNoValue;
};

/// Whether `shape` is 1 everywhere but in dimension `at`, which has `size`.
bool IsVectorAlong(const Shape& shape, int at, int64_t size) {
  if (at < 0) return false;
  for (int d = 0; d < shape.rank(); ++d) {
    if (shape[d] != (d == at ? size : 1)) return false;
  }
  return true;
}

/// The product's bias may be this constant.
bool IsBiasOf(const Graph& graph, const Node& product, const Shape& bias) {
  if (product.inputs.size() < 2) return false;
  const Tensor* weights = FloatConstant(graph, product.inputs[1]);
  if (weights == nullptr) return false;
  if (IsOnnx(product, "MatMul")) {  // at most the result's rank: that is at least 1
    return weights->shape().rank() == 2 && bias.rank() == 1 && bias[0] == weights->shape()[1];
  }
  const bool free = product.inputs.size() == 2 || product.inputs[2] == kNoValue;
  const int rank = weights->shape().rank();
  return IsOnnx(product, "Conv") && free && rank > 2 && bias.rank() >= rank - 1 &&
         bias.rank() <= rank && IsVectorAlong(bias, bias.rank() - rank + 1, weights->shape()[0]);
}

Fusion Find(const Graph& graph, const Uses& uses, const Node& add) {
  if (!IsOnnx(add, "Add") || add.inputs.size() != 2) return {};
  for (const size_t side : {0, 1}) {
    const Node* product = SoleProducer(graph, uses, add.inputs[side]);
    const ValueId bias = add.inputs[1 - side];
    const Tensor* constant = FloatConstant(graph, bias);
    if (product == nullptr || constant == nullptr) continue;
    if (!IsBiasOf(graph, *product, constant->shape())) continue;
    return {product, bias};
  }
  return {};
}

}  // namespace

absl::StatusOr<Graph> FuseBias(const Graph& graph) {
  const Uses uses(graph);
  std::vector<Fusion> fusions;
  std::vector<bool> skipped(graph.nodes().size(), false);
  for (const Node& node : graph.nodes()) {
    Fusion& fusion = fusions.emplace_back(Find(graph, uses, node));
    if (fusion.product != nullptr) {
      skipped[static_cast<size_t>(fusion.product - graph.nodes().data())] = true;
    }
  }
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (skipped[i]) continue;
    if (fusions[i].product == nullptr) {
      copier.CopyNode(node);
      continue;
    }
    const Node& product = *fusions[i].product;
    NodeSpec spec = product.spec;
    if (IsOnnx(product, "MatMul")) {
      spec.domain = std::string(kFusedDomain);
    }
    ValueId bias = kNoValue;
    const Tensor& constant = *graph.value(fusions[i].bias).constant;
    if (constant.shape().rank() == 1) {
      bias = copier.Copy(fusions[i].bias);
    } else {
      const TensorView flat(DType::kFloat32, Shape{constant.elements()}, constant.data());
      bias = copier.AddConstant(graph.value(fusions[i].bias).name, Tensor::CopyOf(flat));
    }
    builder.AddNode(std::move(spec),
                    {copier.Copy(product.inputs[0]), copier.Copy(product.inputs[1]), bias},
                    copier.Copy(node.outputs));
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
