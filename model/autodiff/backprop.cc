#include "model/autodiff/backprop.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

// Room for a tensor of `type` in `buffer`, which grows and never shrinks.
MutableTensorView Room(const TensorType& type, int64_t bytes, AlignedBuffer& buffer) {
  if (buffer.size() < static_cast<size_t>(bytes) || buffer.data() == nullptr) {
    buffer = AlignedBuffer(static_cast<size_t>(bytes));
  }
  return {type.dtype, type.shape, buffer.data()};
}

void Clear(const MutableTensorView& view) {
  if (view.elements() > 0) {
    std::memset(view.data(), 0, static_cast<size_t>(view.elements()) * SizeOf(view.dtype()));
  }
}

}  // namespace

Backprop::Backprop(Graph graph, std::vector<int> trained)
    : graph_(std::move(graph)),
      trained_(std::move(trained)),
      states_(graph_.values().size()),
      gradients_(trained_.size()) {}

absl::StatusOr<std::unique_ptr<Backprop>> Backprop::Create(Graph graph, std::vector<int> trained) {
  if (graph.outputs().size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the graph has ", graph.outputs().size(), " outputs; expected 1"));
  }
  std::unique_ptr<Backprop> result(new Backprop(std::move(graph), std::move(trained)));
  SIGSERVE_RETURN_IF_ERROR(result->BuildSteps());
  return result;
}

absl::Status Backprop::BuildSteps() {
  for (size_t i = 0; i < states_.size(); ++i) {
    if (const auto& constant = graph_.values()[i].constant) {
      states_[i].view = constant->view();
      states_[i].type = {constant->dtype(), constant->shape()};
    }
  }
  for (const int input : trained_) {
    input_state(input).wanted = true;
  }
  for (const Node& node : graph_.nodes()) {
    Step step{&node, nullptr, nullptr};
    std::vector<TensorView> constants;
    absl::InlinedVector<bool, 8> present;
    for (const ValueId input : node.inputs) {
      present.push_back(input != kNoValue);
      constants.push_back(input == kNoValue ? TensorView() : state(input).view);
      step.wanted |= input != kNoValue && state(input).wanted;
    }
    SIGSERVE_ASSIGN_OR_RETURN(
        step.op, MakeOp(node.spec, static_cast<int>(node.outputs.size()), constants, present));
    if (step.wanted) {
      SIGSERVE_ASSIGN_OR_RETURN(step.backward, MakeBackwardRule(node.spec));
    }
    for (const ValueId output : node.outputs) {
      if (output != kNoValue) {
        state(output).wanted = step.wanted;
      }
    }
    steps_.push_back(std::move(step));
  }
  return absl::OkStatus();
}

absl::Status Backprop::InferStep(const Step& step) {
  operands_.clear();
  for (const ValueId input : step.node->inputs) {
    const bool present = input != kNoValue;
    const bool constant = present && graph_.value(input).constant != nullptr;
    operands_.push_back({.present = present,
                         .type = present ? state(input).type : TensorType(),
                         .value = constant ? state(input).view : TensorView()});
  }
  types_.assign(step.node->outputs.size(), TensorType());
  SIGSERVE_RETURN_IF_ERROR(step.op->Infer(operands_, absl::MakeSpan(types_)));
  in_types_.clear();
  for (const Operand& operand : operands_) in_types_.push_back(operand.type);
  const auto workspace = static_cast<size_t>(step.op->WorkspaceBytes(in_types_));
  if (workspace_.size() < workspace) workspace_ = AlignedBuffer(workspace);
  for (size_t i = 0; i < types_.size(); ++i) {
    const ValueId output = step.node->outputs[i];
    if (output == kNoValue) {
      return absl::UnimplementedError("an output left out cannot be trained through");
    }
    ValueState& value = state(output);
    value.type = types_[i];
    SIGSERVE_ASSIGN_OR_RETURN(const int64_t bytes,
                              CheckedBytes(value.type.shape, SizeOf(value.type.dtype)));
    value.view = Room(value.type, bytes, value.buffer);
    if (value.wanted) {
      value.gradient = Room(value.type, bytes, value.gradient_buffer);
    }
  }
  return absl::OkStatus();
}

absl::Status Backprop::Prepare(absl::Span<const TensorView> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    ValueState& value = input_state(static_cast<int>(i));
    value.view = inputs[i];
    if (value.type.dtype != inputs[i].dtype() || value.type.shape != inputs[i].shape()) {
      value.type = {inputs[i].dtype(), inputs[i].shape()};
      prepared_ = false;
    }
  }
  if (prepared_) {
    return absl::OkStatus();
  }
  for (size_t i = 0; i < trained_.size(); ++i) {
    ValueState& value = input_state(trained_[i]);
    if (!gradients_[i].present()) {
      SIGSERVE_ASSIGN_OR_RETURN(const int64_t bytes,
                                CheckedBytes(value.type.shape, SizeOf(value.type.dtype)));
      value.gradient = Room(value.type, bytes, value.gradient_buffer);
      gradients_[i] = value.gradient;
    } else if (gradients_[i].shape() != value.type.shape) {
      return absl::InvalidArgumentError(absl::StrCat("trained input ", trained_[i], " is ",
                                                     value.type.shape.ToString(), " but was ",
                                                     gradients_[i].shape().ToString()));
    }
  }
  for (const Step& step : steps_) {
    const absl::Status inferred = InferStep(step);
    if (!inferred.ok()) {
      return Annotate(inferred, step.node->spec.DebugName());
    }
  }
  prepared_ = true;
  return absl::OkStatus();
}

absl::StatusOr<TensorView> Backprop::Forward(absl::Span<const TensorView> inputs) {
  if (inputs.size() != graph_.inputs().size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(inputs.size(), " inputs for a graph of ", graph_.inputs().size()));
  }
  SIGSERVE_RETURN_IF_ERROR(Prepare(inputs));
  for (const Step& step : steps_) {
    in_.clear();
    mutable_out_.clear();
    for (const ValueId input : step.node->inputs) {
      in_.push_back(input == kNoValue ? TensorView() : state(input).view);
    }
    for (const ValueId output : step.node->outputs) {
      ValueState& value = state(output);
      mutable_out_.emplace_back(value.type.dtype, value.type.shape, value.buffer.data());
    }
    step.op->Forward(in_, mutable_out_, Workspace(workspace_.data()));
  }
  return state(graph_.outputs()[0]).view;
}

void Backprop::Backward(const TensorView& output_gradient) {
  for (const Step& step : steps_) {
    for (const ValueId output : step.node->outputs) {
      if (step.wanted) {
        Clear(state(output).gradient);
      }
    }
  }
  ValueState& last = state(graph_.outputs()[0]);
  if (!last.wanted) {
    return;  // nothing trained reaches the output
  }
  std::memcpy(last.gradient.data(), output_gradient.data(),
              static_cast<size_t>(output_gradient.elements()) * sizeof(float));
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    if (!step->wanted) {
      continue;
    }
    in_.clear();
    out_.clear();
    grad_out_.clear();
    grad_in_.clear();
    for (const ValueId input : step->node->inputs) {
      in_.push_back(input == kNoValue ? TensorView() : state(input).view);
      grad_in_.push_back(input == kNoValue || !state(input).wanted ? MutableTensorView()
                                                                   : state(input).gradient);
    }
    for (const ValueId output : step->node->outputs) {
      out_.push_back(state(output).view);
      grad_out_.push_back(state(output).gradient);
    }
    step->backward({in_, out_, grad_out_, grad_in_});
  }
}

void Backprop::ClearGradients() {
  for (const int input : trained_) {
    Clear(input_state(input).gradient);
  }
}

}  // namespace sigserve
