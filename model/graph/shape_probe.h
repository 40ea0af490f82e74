// What is known of a model's shapes before any request: inference tried at a few sizes of whatever
// the model leaves open. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "model/graph/program.h"

namespace sigserve {

struct Probes {
  /// Batch sizes that worked, ascending unless some input has no declared rank.
  std::vector<int64_t> sizes;
  /// For each of those, the types of all values.
  std::vector<std::vector<TensorType>> types;
  bool all_worked = false;
  /// Why the last one that failed did.
  absl::Status last_error;
};

/// Whether dimension 0 of every input is free, whatever else is.
bool BatchIsFree(const Graph& graph);
/// Whether dimension 0 of every input is free, and nothing else is.
bool OnlyBatchIsFree(const Graph& graph);
/// Whether nothing is free.
bool IsFixed(const Graph& graph);

Probes ProbeShapes(const Program& program);

/// The type of a value of the graph as the probes saw it: -1 where they differ. Any rank when they
/// say nothing (none worked, ranks differ, or an input has any rank).
DeclaredType Summarize(const Program& program, const Probes& probes, ValueId id);

}  // namespace sigserve
