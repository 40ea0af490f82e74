#include "model/graph/passes/fold_constants.h"

#include <algorithm>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "model/base/status_macros.h"
#include "model/graph/passes/graph_copier.h"
#include "model/ops/core/attribute_error.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

constexpr int64_t kMaxBytes = int64_t{16} << 20;
constexpr int64_t kMaxTotalBytes = int64_t{256} << 20;

using Constants = std::vector<std::shared_ptr<const Tensor>>;

/// The node's results; empty when they are too large to fold.
absl::StatusOr<Constants> Evaluate(const Node& node, const Constants& known, int64_t budget) {
  absl::InlinedVector<TensorView, 4> inputs;
  absl::InlinedVector<Operand, 4> operands;
  absl::InlinedVector<bool, 4> present;
  for (const ValueId id : node.inputs) {
    Operand operand;
    operand.present = id != kNoValue;
    if (operand.present) {
      operand.value = known[static_cast<size_t>(id)]->view();
      operand.type = {operand.value.dtype(), operand.value.shape()};
    }
    inputs.push_back(operand.value);
    present.push_back(operand.present);
    operands.push_back(std::move(operand));
  }
  const auto made = MakeOp(node.spec, static_cast<int>(node.outputs.size()), inputs, present);
  if (!made.ok()) return AsAttributeError(made.status());
  const Op* op = made->get();
  std::vector<TensorType> types(node.outputs.size());
  SIGSERVE_RETURN_IF_ERROR(
      Annotate(op->Infer(operands, absl::MakeSpan(types)), node.spec.DebugName()));
  int64_t total = 0;
  for (const TensorType& type : types) {
    SIGSERVE_ASSIGN_OR_RETURN(const int64_t bytes, CheckedBytes(type.shape, SizeOf(type.dtype)));
    if (bytes > kMaxBytes) return Constants{};
    total += bytes;
  }
  if (total > budget) return Constants{};
  Constants results;
  std::vector<MutableTensorView> views;
  for (const TensorType& type : types) {
    auto tensor = std::make_shared<Tensor>(type.dtype, type.shape);
    views.push_back(tensor->mutable_view());
    results.push_back(std::move(tensor));
  }
  ForwardOnce(*op, inputs, views);
  return results;
}

}  // namespace

absl::StatusOr<Graph> FoldConstants(const Graph& graph) {
  Constants known;
  known.reserve(graph.values().size());
  for (const Value& value : graph.values()) known.push_back(value.constant);
  for (const GraphInput& input : graph.inputs()) known[static_cast<size_t>(input.value)] = nullptr;

  GraphBuilder builder;
  GraphCopier copier(graph, builder);
  copier.CopyInputs();
  int64_t budget = kMaxTotalBytes;
  for (const Node& node : graph.nodes()) {
    Constants results;
    // What the passes made (bags of embeddings) may work for longer than its sizes tell.
    const bool foldable = node.spec.domain != kFusedDomain &&
                          std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
                            return id == kNoValue || known[static_cast<size_t>(id)] != nullptr;
                          });
    if (foldable) {
      SIGSERVE_ASSIGN_OR_RETURN(results, Evaluate(node, known, budget));
    }
    if (results.empty()) {
      copier.CopyNode(node);
      continue;
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId id = node.outputs[i];
      if (id == kNoValue) continue;
      budget -= static_cast<int64_t>(results[i]->bytes());
      known[static_cast<size_t>(id)] = results[i];
      copier.Replace(id, results[i]);
    }
  }
  copier.CopyOutputs();
  return std::move(builder).Build();
}

}  // namespace sigserve
