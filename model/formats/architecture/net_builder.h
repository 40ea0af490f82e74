// For the sources of this folder: what a layer needs to add itself to the graph. The net is a
// chain: current() is what the next layer reads. One use, one thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/weights/named_tensors.h"
#include "model/graph/graph.h"

namespace sigserve {

class NetBuilder {
 public:
  explicit NetBuilder(NamedTensors weights);

  void AddInput(absl::string_view name, DeclaredType type);

  /// Name of the value that the next layer reads, and how many dimensions it has.
  const std::string& current() const { return current_; }
  int rank() const { return rank_; }
  void set_rank(int rank) { rank_ = rank; }

  /// Adds a node that reads current() and then `more`, and whose output becomes current(). An empty
  /// name leaves an input out.
  void Then(absl::string_view op, std::vector<std::string> more = {}, Attributes attributes = {});
  /// Adds a node; returns its output's name.
  std::string Node(absl::string_view op, std::vector<std::string> inputs,
                   Attributes attributes = {});
  void set_current(std::string name) { current_ = std::move(name); }

  /// A constant of our own; returns its name.
  std::string Constant(Tensor tensor);
  std::string Scalar(float value);
  std::string Ints(absl::Span<const int64_t> values);

  /// Prefix of the weights' names: "features.0.", or nothing.
  void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }
  const std::string& prefix() const { return prefix_; }
  /// The weight prefix + name, which must be FLOAT32 of this shape. Null when it is not; Finish()
  /// then tells all such.
  const Tensor* Weight(absl::string_view name, const Shape& shape);
  /// The same as a constant of the graph; returns its name.
  std::string WeightConstant(absl::string_view name, const Shape& shape);

  /// The graph, its one output called `output`.
  absl::StatusOr<Graph> Finish(absl::string_view output);

 private:
  struct Pending {
    std::string op;
    std::vector<std::string> inputs;
    std::string output;
    Attributes attributes;
  };

  absl::Status CheckKeys();
  std::string NewName();

  std::vector<std::pair<std::string, std::shared_ptr<const Tensor>>> weights_;
  absl::flat_hash_map<std::string, size_t> by_name_;  // without the prefix that all share
  std::vector<bool> used_;
  std::vector<std::string> missing_;
  std::vector<std::string> other_shape_;
  GraphBuilder builder_;
  std::vector<Pending> nodes_;
  absl::flat_hash_map<std::string, std::string> constants_;  // weight -> its constant
  std::string current_;
  std::string prefix_;
  std::string layer_;
  int rank_ = 0;
  int names_ = 0;
};

/// Attributes from pairs; the names are ours, so none is there twice.
Attributes With(std::initializer_list<std::pair<absl::string_view, AttributeValue>> pairs);

}  // namespace sigserve
