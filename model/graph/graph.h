// A model as a graph of values and nodes: what importers produce, passes rewrite, training builds
// and exporters write.
//
// A Graph is immutable and complete once GraphBuilder::Build() has checked it: nodes are in an
// order in which every input is computed before it is used, every value has one producer, and every
// operator exists. Shapes are not known here: they depend on the request (runtime/executable.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/ops/core/op.h"
#include "model/tensor/tensor.h"

namespace sigserve {

/// Index into Graph::values().
using ValueId = int;
/// An optional input left out.
inline constexpr ValueId kNoValue = -1;

/// What a model declares for an input or output: -1 where any size will do.
struct DeclaredType {
  DType dtype = DType::kFloat32;
  /// True when the model declares no shape at all; `shape` is then empty.
  bool any_rank = false;
  Shape shape;
};

struct Value {
  std::string name;
  /// Set for initializers and folded constants; shared between graphs, never changed.
  std::shared_ptr<const Tensor> constant;
};

struct Node {
  NodeSpec spec;
  std::vector<ValueId> inputs;  // kNoValue for optional inputs left out
  std::vector<ValueId> outputs;
};

struct GraphInput {
  ValueId value = kNoValue;
  DeclaredType type;
};

class Graph {
 public:
  absl::Span<const Value> values() const { return values_; }
  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  /// In topological order.
  absl::Span<const Node> nodes() const { return nodes_; }
  absl::Span<const GraphInput> inputs() const { return inputs_; }
  absl::Span<const ValueId> outputs() const { return outputs_; }
  /// The node that computes a value; null for inputs and constants.
  const Node* producer(ValueId id) const;

 private:
  friend class GraphBuilder;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<GraphInput> inputs_;
  std::vector<ValueId> outputs_;
  std::vector<int> producers_;  // by value: index of the node, or -1
};

/// Collects a graph in any order, then checks it. Values are known by name and may be used before
/// they are defined. Not thread-safe. Limits: 100,000 nodes and 400,000 values (RESOURCE_EXHAUSTED
/// from Build).
class GraphBuilder {
 public:
  GraphBuilder() = default;
  /// Starts from an existing graph: for passes that add to it.
  explicit GraphBuilder(const Graph& graph);

  /// The value of this name, made if new.
  ValueId ValueNamed(absl::string_view name);
  /// A name that is not taken yet: `hint`, or `hint_2`, ...
  std::string UniqueName(absl::string_view hint) const;

  ValueId AddInput(absl::string_view name, DeclaredType type);
  ValueId AddConstant(absl::string_view name, Tensor tensor);
  ValueId AddConstant(absl::string_view name, std::shared_ptr<const Tensor> tensor);
  void AddNode(NodeSpec spec, std::vector<ValueId> inputs, std::vector<ValueId> outputs);
  /// Shorthand for training and tests: a node of the default domain with one output, which gets
  /// `output_name`.
  ValueId AddNode(absl::string_view op_type, std::vector<ValueId> inputs,
                  absl::string_view output_name, Attributes attributes = {});
  void AddOutput(ValueId value);
  void ReplaceOutput(int index, ValueId value);

  /// INVALID_ARGUMENT: a value never defined, defined twice, a cycle; UNIMPLEMENTED: an operator
  /// that is not in the table. Each names the value or the node. Messages start with a token:
  /// GRAPH_DANGLING, GRAPH_SSA, GRAPH_DUP, GRAPH_CYCLE, GRAPH_OP, GRAPH_NODE_LIMIT. Nodes keep
  /// the order they were given in where it is a valid one.
  absl::StatusOr<Graph> Build() &&;

 private:
  Graph graph_;
  absl::flat_hash_map<std::string, ValueId> by_name_;
  absl::Status first_error_;
};

}  // namespace sigserve
