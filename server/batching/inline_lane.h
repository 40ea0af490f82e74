// The lane of cheap models: runs each task at once, on its caller's thread, as a batch of its own.
// Nothing waits and nothing is shared between tasks. A task that is late or whose caller has gone
// is not run. Thread-safe; tasks of several threads run side by side.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/base/clock.h"
#include "model/tensor/tensor_view.h"
#include "server/batching/task.h"

namespace sigserve {

/// Runs one batch and lends its results until the pointer is released. Called from several threads.
using RunBatch = std::function<absl::StatusOr<std::unique_ptr<const TaskOutputs>>(
    absl::Span<const TensorView> inputs)>;

class InlineLane {
 public:
  /// `clock` must outlive the lane.
  InlineLane(RunBatch run, const Clock* clock) : run_(std::move(run)), clock_(clock) {}

  /// Calls task.done exactly once, before it returns: with the results, with the error of the run,
  /// with DEADLINE_EXCEEDED (late; says by how much) or with CANCELLED. The lane may be destroyed
  /// within `done`.
  void Run(Task task) const;

 private:
  const RunBatch run_;
  const Clock* const clock_;
};

}  // namespace sigserve
