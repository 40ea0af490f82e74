#include <functional>
#include <queue>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/graph.h"
#include "model/ops/op_table.h"

namespace sigserve {
namespace {

constexpr size_t kMaxNodes = 100'000;
constexpr size_t kMaxValues = 400'000;

std::string Quoted(absl::string_view name) {
  return absl::StrCat("'", absl::CHexEscape(name), "'");
}

/// Kahn's algorithm, smallest index first: an order that is already valid stays as it is.
absl::StatusOr<std::vector<int>> TopologicalOrder(absl::Span<const Node> nodes,
                                                  absl::Span<const int> producers) {
  std::vector<int> waiting_for(nodes.size(), 0);
  std::vector<std::vector<int>> users(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const ValueId input : nodes[i].inputs) {
      if (input == kNoValue) continue;
      const int producer = producers[static_cast<size_t>(input)];
      if (producer < 0) continue;
      users[static_cast<size_t>(producer)].push_back(static_cast<int>(i));
      ++waiting_for[i];
    }
  }
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (waiting_for[i] == 0) ready.push(static_cast<int>(i));
  }
  std::vector<int> order;
  order.reserve(nodes.size());
  while (!ready.empty()) {
    const int node = ready.top();
    ready.pop();
    order.push_back(node);
    for (const int user : users[static_cast<size_t>(node)]) {
      if (--waiting_for[static_cast<size_t>(user)] == 0) ready.push(user);
    }
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (waiting_for[i] > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("GRAPH_CYCLE: ", nodes[i].spec.DebugName(),
                       " needs its own output, directly or through other nodes"));
    }
  }
  return order;
}

absl::Status CheckOperator(const NodeSpec& spec) {
  if (FindOp(spec.domain, spec.op_type, spec.opset) != nullptr) return absl::OkStatus();
  return absl::UnimplementedError(absl::StrCat(
      "GRAPH_OP: ", spec.DebugName(), ": operator ", Quoted(spec.op_type), " of domain ",
      Quoted(spec.domain.empty() ? "ai.onnx" : spec.domain), " is not supported"));
}

}  // namespace

GraphBuilder::GraphBuilder(const Graph& graph) : graph_(graph) {
  graph_.producers_.clear();
  for (size_t i = 0; i < graph_.values_.size(); ++i) {
    by_name_.emplace(graph_.values_[i].name, static_cast<ValueId>(i));
  }
}

ValueId GraphBuilder::ValueNamed(absl::string_view name) {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return found->second;
  const ValueId id = static_cast<ValueId>(graph_.values_.size());
  graph_.values_.push_back(Value{std::string(name), nullptr});
  by_name_.emplace(std::string(name), id);
  return id;
}

std::string GraphBuilder::UniqueName(absl::string_view hint) const {
  std::string name(hint);
  for (int i = 2; by_name_.contains(name); ++i) name = absl::StrCat(hint, "_", i);
  return name;
}

ValueId GraphBuilder::AddInput(absl::string_view name, DeclaredType type) {
  const ValueId id = ValueNamed(name);
  graph_.inputs_.push_back(GraphInput{id, std::move(type)});
  return id;
}

ValueId GraphBuilder::AddConstant(absl::string_view name, Tensor tensor) {
  return AddConstant(name, std::make_shared<const Tensor>(std::move(tensor)));
}

ValueId GraphBuilder::AddConstant(absl::string_view name, std::shared_ptr<const Tensor> tensor) {
  const ValueId id = ValueNamed(name);
  Value& value = graph_.values_[static_cast<size_t>(id)];
  if (value.constant != nullptr) {
    first_error_.Update(
        absl::InvalidArgumentError(absl::StrCat("GRAPH_DUP: two constants named ", Quoted(name))));
  }
  value.constant = std::move(tensor);
  return id;
}

void GraphBuilder::AddNode(NodeSpec spec, std::vector<ValueId> inputs,
                           std::vector<ValueId> outputs) {
  graph_.nodes_.push_back(Node{std::move(spec), std::move(inputs), std::move(outputs)});
}

ValueId GraphBuilder::AddNode(absl::string_view op_type, std::vector<ValueId> inputs,
                              absl::string_view output_name, Attributes attributes) {
  NodeSpec spec;
  spec.name = std::string(output_name);
  spec.op_type = std::string(op_type);
  spec.attributes = std::move(attributes);
  const ValueId output = ValueNamed(output_name);
  AddNode(std::move(spec), std::move(inputs), {output});
  return output;
}

void GraphBuilder::AddOutput(ValueId value) { graph_.outputs_.push_back(value); }

void GraphBuilder::ReplaceOutput(int index, ValueId value) {
  graph_.outputs_[static_cast<size_t>(index)] = value;
}

absl::StatusOr<Graph> GraphBuilder::Build() && {
  SIGSERVE_RETURN_IF_ERROR(first_error_);
  const std::vector<Value>& values = graph_.values_;
  if (graph_.nodes_.size() > kMaxNodes || values.size() > kMaxValues) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "GRAPH_NODE_LIMIT: the graph has ", graph_.nodes_.size(), " nodes and ", values.size(),
        " values; at most ", kMaxNodes, " and ", kMaxValues, " are supported"));
  }

  // -2: not defined; -1: an input or a constant.
  std::vector<int> producers(values.size(), -2);
  const auto define = [&](ValueId id, int producer, absl::string_view by) -> absl::Status {
    int& slot = producers[static_cast<size_t>(id)];
    if (slot != -2) {
      return absl::InvalidArgumentError(absl::StrCat("GRAPH_SSA: value ",
                                                     Quoted(values[static_cast<size_t>(id)].name),
                                                     ", defined by ", by, ", is defined already"));
    }
    slot = producer;
    return absl::OkStatus();
  };
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].constant != nullptr) producers[i] = -1;
  }
  for (const GraphInput& input : graph_.inputs_) {
    SIGSERVE_RETURN_IF_ERROR(define(input.value, -1, "the graph's inputs"));
  }
  for (size_t i = 0; i < graph_.nodes_.size(); ++i) {
    const Node& node = graph_.nodes_[i];
    SIGSERVE_RETURN_IF_ERROR(CheckOperator(node.spec));
    for (const ValueId output : node.outputs) {
      if (output == kNoValue) continue;
      SIGSERVE_RETURN_IF_ERROR(define(output, static_cast<int>(i), node.spec.DebugName()));
    }
  }
  for (const Node& node : graph_.nodes_) {
    for (const ValueId input : node.inputs) {
      if (input != kNoValue && producers[static_cast<size_t>(input)] == -2) {
        return absl::InvalidArgumentError(absl::StrCat(
            "GRAPH_DANGLING: ", node.spec.DebugName(), " reads value ",
            Quoted(values[static_cast<size_t>(input)].name), ", which nothing defines"));
      }
    }
  }
  if (graph_.outputs_.empty()) {
    return absl::InvalidArgumentError("GRAPH_DANGLING: the graph has no outputs");
  }
  for (const ValueId output : graph_.outputs_) {
    if (producers[static_cast<size_t>(output)] == -2) {
      return absl::InvalidArgumentError(
          absl::StrCat("GRAPH_DANGLING: output ", Quoted(values[static_cast<size_t>(output)].name),
                       " is never defined"));
    }
  }
  for (int& producer : producers) {
    if (producer == -2) producer = -1;  // named, but unused
  }

  SIGSERVE_ASSIGN_OR_RETURN(const std::vector<int> order,
                            TopologicalOrder(graph_.nodes_, producers));
  std::vector<Node> sorted;
  sorted.reserve(order.size());
  graph_.producers_.assign(values.size(), -1);
  for (const int from : order) {
    for (const ValueId output : graph_.nodes_[static_cast<size_t>(from)].outputs) {
      if (output != kNoValue) {
        graph_.producers_[static_cast<size_t>(output)] = static_cast<int>(sorted.size());
      }
    }
    sorted.push_back(std::move(graph_.nodes_[static_cast<size_t>(from)]));
  }
  graph_.nodes_ = std::move(sorted);
  return std::move(graph_);
}

}  // namespace sigserve
