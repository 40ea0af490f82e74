// A model as batching knows it: something that runs batches of rows. Immutable; its function may be
// called from several threads.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/tensor/tensor_view.h"
#include "server/batching/task.h"

namespace sigserve {

/// Runs one batch and lends its results until the pointer is released.
using RunBatch = std::function<absl::StatusOr<std::unique_ptr<const TaskOutputs>>(
    absl::Span<const TensorView> inputs)>;

struct BatchTarget {
  std::string model;  // its name, for metrics
  RunBatch run;
  /// Outputs of the model's signature.
  int outputs = 1;
  /// Dimension 0 of every input and output is the batch, and no row's results depend on the others.
  bool batchable = false;
};

/// Why a batch was run when it was.
enum class DispatchReason {
  kDrained,  // all that had arrived was in it
  kFull,     // no more rows or bytes fitted in
  kSplit,    // a part of a batch that failed, run again to find whose fault it was
};
absl::string_view Name(DispatchReason reason);

/// Told of every batch that ran. May be empty.
using BatchObserver = std::function<void(const BatchTarget& target, DispatchReason reason)>;

/// Where checked tasks go. The target stays until the task's `done` was called.
class TaskSink {
 public:
  virtual void Add(const BatchTarget& target, Task task) = 0;

 protected:
  ~TaskSink() = default;
};

}  // namespace sigserve
