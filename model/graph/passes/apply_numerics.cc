#include "model/graph/passes/apply_numerics.h"

#include <algorithm>
#include <string>
#include <utility>

#include "model/base/status_macros.h"
#include "model/graph/passes/graph_copier.h"
#include "model/graph/passes/uses.h"

namespace sigserve {
namespace {

// bfloat16's weights lie in tiles of 32 inputs by 16 outputs. Layers that would fill less than a
// quarter of one gain nothing, and stay exact.
constexpr int64_t kLeastInputs = 16;
constexpr int64_t kLeastOutputs = 8;

bool GainsFromTiles(const NodeSpec& spec, const Shape& weights) {
  int64_t inputs = weights[0];
  int64_t outputs = weights[1];
  if (spec.op_type == "Conv") {
    outputs = weights[0] / std::max<int64_t>(1, spec.attributes.Int("group", 1).value_or(1));
    inputs = weights.elements() / std::max<int64_t>(1, weights[0]);
  } else if (spec.op_type == "Gemm" && spec.attributes.Int("transB", 0).value_or(0) != 0) {
    std::swap(inputs, outputs);
  }
  return inputs >= kLeastInputs && outputs >= kLeastOutputs;
}

bool CanUseBf16(const Graph& graph, const Node& node) {
  const NodeSpec& spec = node.spec;
  if (!spec.domain.empty() && spec.domain != kFusedDomain) return false;
  if (node.inputs.size() < 2 || spec.attributes.has(kPrecisionAttribute)) return false;
  const Tensor* weights = FloatConstant(graph, node.inputs[1]);
  if (weights == nullptr) return false;
  const int rank = weights->shape().rank();
  const bool fits = spec.op_type == "Conv"
                        ? rank == 3 || rank == 4
                        : (spec.op_type == "Gemm" || spec.op_type == "MatMul") && rank == 2;
  return fits && GainsFromTiles(spec, weights->shape());
}

}  // namespace

absl::StatusOr<Graph> ApplyNumerics(const Graph& graph, const Numerics& numerics) {
  if (numerics.precision == Precision::kFloat32 && !numerics.fast_math) return graph;
  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  for (const Node& node : graph.nodes()) {
    NodeSpec spec = node.spec;
    if (numerics.precision == Precision::kBf16 && CanUseBf16(graph, node)) {
      spec.domain = std::string(kFusedDomain);
      SIGSERVE_RETURN_IF_ERROR(spec.attributes.Add(kPrecisionAttribute, std::string(kBf16Name)));
    } else if (numerics.fast_math && IsOnnx(node, "Sigmoid")) {
      spec.domain = std::string(kFusedDomain);
      spec.op_type = "FastSigmoid";
    }
    builder.AddNode(std::move(spec), copier.Copy(node.inputs), copier.Copy(node.outputs));
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
