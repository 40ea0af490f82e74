// A graph with its operators built, and type inference over it: the shapes of everything for given
// input shapes. Immutable after Create(); thread-safe. Holds constants only by sharing them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/graph/graph.h"
#include "model/ops/core/op.h"

namespace sigserve {

/// No tensor of a running model may be larger: RESOURCE_EXHAUSTED.
inline constexpr int64_t kMaxTensorBytes = int64_t{1} << 31;

struct Step {
  std::unique_ptr<const Op> op;
  std::string name;              // how errors name the node
  std::vector<ValueId> inputs;   // kNoValue for optional inputs left out
  std::vector<ValueId> outputs;  // never kNoValue: unused outputs get a value, too
  /// Whether type inference needs the results: they follow from shapes and constants alone.
  bool known_early = false;
  /// Shape and Size: their inputs' elements do not matter.
  bool reads_shapes_only = false;
};

class Program {
 public:
  static absl::StatusOr<Program> Create(const Graph& graph);

  const Graph& graph() const { return graph_; }
  absl::Span<const Step> steps() const { return steps_; }
  /// Number of values: the graph's, then those of unused outputs.
  int value_count() const { return value_count_; }

  /// The types of all values, given those of the inputs (in the graph's order). `types` gets
  /// value_count() entries; its memory is reused. INVALID_ARGUMENT and RESOURCE_EXHAUSTED name the
  /// node.
  absl::Status InferTypes(absl::Span<const TensorType> inputs,
                          std::vector<TensorType>& types) const;

 private:
  Graph graph_;
  std::vector<Step> steps_;
  int value_count_ = 0;
};

}  // namespace sigserve
