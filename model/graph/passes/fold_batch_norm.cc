#include "model/graph/passes/fold_batch_norm.h"

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "model/graph/passes/graph_copier.h"
#include "model/graph/passes/uses.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

// y = factor * x + shift, by channel.
struct Affine {
  std::vector<double> factor;
  std::vector<double> shift;
};

std::optional<Affine> ReadBatchNorm(const Graph& graph, const Node& node) {
  if (!IsOnnx(node, "BatchNormalization") || node.inputs.size() != 5 || node.outputs.size() != 1) {
    return {};
  }
  absl::InlinedVector<TensorView, 5> constants(1);
  for (size_t i = 1; i < 5; ++i) {
    const Tensor* constant = FloatConstant(graph, node.inputs[i]);
    if (constant == nullptr || constant->shape().rank() != 1) return {};
    if (i > 1 && constant->shape() != constants[1].shape()) return {};
    constants.push_back(constant->view());
  }
  if (!MakeOp(node.spec, 1, constants, {true, true, true, true, true}).ok()) return {};
  const double epsilon = node.spec.attributes.Float("epsilon", 1e-5F).value_or(NAN);
  Affine result;
  for (size_t c = 0; c < static_cast<size_t>(constants[1].elements()); ++c) {
    const auto at = [&](size_t i) { return double{constants[i].values<float>()[c]}; };
    if (!(at(4) >= 0)) return {};
    result.factor.push_back(at(1) / std::sqrt(at(4) + epsilon));
    result.shift.push_back(at(2) - at(3) * result.factor.back());
    if (!std::isfinite(result.factor.back()) || !std::isfinite(result.shift.back())) return {};
  }
  return result;
}

struct Producer {
  const Node* node = nullptr;
  const Tensor* weights = nullptr;
  const Tensor* bias = nullptr;  // null: none
  /// Of the weights: the output channel of element i is channel_of(i).
  int64_t inner = 1;         // elements side by side that belong to one channel
  int64_t channels = 1;      // that follow each other, then repeat
  int64_t in_per_group = 0;  // ConvTranspose: rows of weights per group; 0: one group

  size_t ChannelOf(int64_t i) const {
    const int64_t channel = i / inner % channels;
    if (in_per_group == 0) return static_cast<size_t>(channel);
    return static_cast<size_t>(i / inner / channels / in_per_group * channels + channel);
  }
};

std::optional<Producer> ReadProducer(const Graph& graph, const Node* node, size_t channels) {
  if (node == nullptr || node->inputs.size() < 2) return {};
  const Attributes& attributes = node->spec.attributes;
  Producer p;
  p.node = node;
  p.weights = FloatConstant(graph, node->inputs[1]);
  if (p.weights == nullptr) return {};
  if (node->inputs.size() > 2 && node->inputs[2] != kNoValue) {
    p.bias = FloatConstant(graph, node->inputs[2]);
    if (p.bias == nullptr || p.bias->shape() != Shape{static_cast<int64_t>(channels)}) return {};
  }
  const Shape& w = p.weights->shape();
  const auto taps = [&] {
    int64_t product = 1;
    for (int d = 2; d < w.rank(); ++d) product *= w[d];
    return product;
  };
  if (IsOnnx(*node, "Conv") && w.rank() > 2) {
    p.channels = w[0];
    p.inner = w[1] * taps();
  } else if (IsOnnx(*node, "ConvTranspose") && w.rank() > 2) {
    const int64_t groups = attributes.Int("group", 1).value_or(0);
    if (groups <= 0 || w[0] % groups != 0) return {};
    p.channels = w[1];
    p.inner = taps();
    p.in_per_group = w[0] / groups;
    if (p.in_per_group == 0 || w[1] * groups != static_cast<int64_t>(channels)) return {};
  } else if (IsOnnx(*node, "Gemm") && w.rank() == 2) {
    if (attributes.Float("alpha", 1).value_or(0) != 1 ||
        attributes.Float("beta", 1).value_or(0) != 1) {
      return {};
    }
    const bool transposed = attributes.Int("transB", 0).value_or(0) != 0;
    p.channels = w[transposed ? 0 : 1];
    p.inner = transposed ? w[1] : 1;
  } else {
    return {};
  }
  if (p.inner <= 0) return {};
  if (p.in_per_group == 0 && p.channels != static_cast<int64_t>(channels)) return {};
  return p;
}

}  // namespace

absl::StatusOr<Graph> FoldBatchNorm(const Graph& graph) {
  const Uses uses(graph);
  struct Folding {
    Producer producer;
    Affine affine;
  };
  std::vector<std::optional<Folding>> foldings(graph.nodes().size());
  std::vector<bool> skipped(graph.nodes().size(), false);
  for (size_t i = 0; i < foldings.size(); ++i) {
    std::optional<Affine> affine = ReadBatchNorm(graph, graph.nodes()[i]);
    if (!affine) continue;
    const Node* before = SoleProducer(graph, uses, graph.nodes()[i].inputs[0]);
    const std::optional<Producer> producer = ReadProducer(graph, before, affine->factor.size());
    // Weights that others read, too, would have to be doubled.
    if (!producer || uses[before->inputs[1]] != 1) continue;
    skipped[static_cast<size_t>(before - graph.nodes().data())] = true;
    foldings[i] = Folding{*producer, *std::move(affine)};
  }
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (size_t i = 0; i < foldings.size(); ++i) {
    if (skipped[i]) continue;
    const Node& node = graph.nodes()[i];
    if (!foldings[i]) {
      copier.CopyNode(node);
      continue;
    }
    const Producer& p = foldings[i]->producer;
    const Affine& affine = foldings[i]->affine;
    Tensor weights = p.weights->Clone();
    float* w = weights.mutable_values<float>().data();
    for (int64_t k = 0; k < weights.elements(); ++k) {
      w[k] = static_cast<float>(w[k] * affine.factor[p.ChannelOf(k)]);
    }
    Tensor bias(DType::kFloat32, Shape{static_cast<int64_t>(affine.factor.size())});
    for (size_t c = 0; c < affine.factor.size(); ++c) {
      const double before = p.bias == nullptr ? 0.0 : double{p.bias->values<float>()[c]};
      bias.mutable_values<float>()[c] =
          static_cast<float>(before * affine.factor[c] + affine.shift[c]);
    }
    const std::string& name = graph.value(p.node->inputs[1]).name;
    const ValueId new_weights = copier.AddConstant(name, std::move(weights));
    const ValueId new_bias = copier.AddConstant(name, std::move(bias));
    NodeSpec spec = p.node->spec;
    builder.AddNode(std::move(spec), {copier.Copy(p.node->inputs[0]), new_weights, new_bias},
                    copier.Copy(node.outputs));
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
