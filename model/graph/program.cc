#include "model/graph/program.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/ops/core/attribute_error.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

// Larger results are no shapes: inference does without them.
constexpr int64_t kMaxKnownElements = 4096;

bool ReadsShapesOnly(const NodeSpec& spec) {
  return spec.domain.empty() && (spec.op_type == "Shape" || spec.op_type == "Size");
}

absl::StatusOr<Step> MakeStep(const Graph& graph, const Node& node) {
  absl::InlinedVector<TensorView, 4> constants;
  absl::InlinedVector<bool, 4> present;
  for (const ValueId id : node.inputs) {
    const bool constant = id != kNoValue && graph.value(id).constant != nullptr;
    constants.push_back(constant ? graph.value(id).constant->view() : TensorView());
    present.push_back(id != kNoValue);
  }
  Step step;
  auto op = MakeOp(node.spec, static_cast<int>(node.outputs.size()), constants, present);
  if (!op.ok()) return AsAttributeError(op.status());
  step.op = *std::move(op);
  step.name = node.spec.DebugName();
  step.inputs = node.inputs;
  step.outputs = node.outputs;
  return step;
}

absl::Status CheckSize(const TensorType& type) {
  SIGSERVE_ASSIGN_OR_RETURN(const int64_t bytes, CheckedBytes(type.shape, SizeOf(type.dtype)));
  if (bytes <= kMaxTensorBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("a tensor of shape ", type.shape.ToString(),
                                                   " takes ", bytes, " bytes; at most ",
                                                   kMaxTensorBytes, " are allowed"));
}

}  // namespace

absl::StatusOr<Program> Program::Create(const Graph& graph) {
  Program program;
  program.graph_ = graph;
  program.value_count_ = static_cast<int>(graph.values().size());
  std::vector<bool> known(graph.values().size());
  for (size_t i = 0; i < known.size(); ++i) known[i] = graph.values()[i].constant != nullptr;
  for (const Node& node : graph.nodes()) {
    SIGSERVE_ASSIGN_OR_RETURN(Step step, MakeStep(graph, node));
    step.reads_shapes_only = ReadsShapesOnly(node.spec);
    step.known_early = step.reads_shapes_only ||
                       std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
                         return id == kNoValue || known[static_cast<size_t>(id)];
                       });
    for (ValueId& output : step.outputs) {
      if (output == kNoValue) {
        output = program.value_count_++;
        known.push_back(false);
      }
      known[static_cast<size_t>(output)] = step.known_early;
    }
    program.steps_.push_back(std::move(step));
  }
  return program;
}

absl::Status Program::InferTypes(absl::Span<const TensorType> inputs,
                                 std::vector<TensorType>& types) const {
  types.resize(static_cast<size_t>(value_count_));
  for (size_t i = 0; i < graph_.values().size(); ++i) {
    const std::shared_ptr<const Tensor>& constant = graph_.values()[i].constant;
    if (constant != nullptr) types[i] = {constant->dtype(), constant->shape()};
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    SIGSERVE_RETURN_IF_ERROR(
        Annotate(CheckSize(inputs[i]),
                 absl::StrCat("input '", graph_.value(graph_.inputs()[i].value).name, "'")));
    types[static_cast<size_t>(graph_.inputs()[i].value)] = inputs[i];
  }
  absl::flat_hash_map<ValueId, Tensor> known;
  const auto value_of = [&](ValueId id) -> TensorView {
    if (id < static_cast<ValueId>(graph_.values().size()) && graph_.value(id).constant != nullptr) {
      return graph_.value(id).constant->view();
    }
    const auto found = known.find(id);
    return found == known.end() ? TensorView() : found->second.view();
  };

  absl::InlinedVector<Operand, 8> operands;
  absl::InlinedVector<TensorType, 4> results;
  for (const Step& step : steps_) {
    operands.clear();
    bool all_known = true;
    for (const ValueId id : step.inputs) {
      Operand operand;
      operand.present = id != kNoValue;
      if (operand.present) {
        operand.type = types[static_cast<size_t>(id)];
        operand.value = value_of(id);
        all_known = all_known && operand.value.present();
      }
      operands.push_back(std::move(operand));
    }
    results.assign(step.outputs.size(), TensorType());
    SIGSERVE_RETURN_IF_ERROR(
        Annotate(step.op->Infer(operands, absl::MakeSpan(results)), step.name));
    int64_t elements = 0;
    for (size_t i = 0; i < results.size(); ++i) {
      SIGSERVE_RETURN_IF_ERROR(Annotate(CheckSize(results[i]), step.name));
      elements = std::max(elements, results[i].shape.elements());
      types[static_cast<size_t>(step.outputs[i])] = std::move(results[i]);
    }
    if (!step.known_early || elements > kMaxKnownElements) continue;
    if (!all_known && !step.reads_shapes_only) continue;

    absl::InlinedVector<TensorView, 4> views;
    for (const Operand& operand : operands) {
      views.push_back(operand.value.present() || !operand.present
                          ? operand.value
                          : TensorView(operand.type.dtype, operand.type.shape, nullptr));
    }
    absl::InlinedVector<MutableTensorView, 4> out;
    for (const ValueId id : step.outputs) {
      const TensorType& type = types[static_cast<size_t>(id)];
      const auto inserted = known.insert_or_assign(id, Tensor(type.dtype, type.shape));
      out.push_back(inserted.first->second.mutable_view());
    }
    ForwardOnce(*step.op, views, out);
  }
  return absl::OkStatus();
}

}  // namespace sigserve
