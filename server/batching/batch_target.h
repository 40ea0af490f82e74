// A model as batching knows it: something that runs batches of rows, what that costs, and how its
// requests may wait. Immutable but for what is learned of its cost; its function may be called from
// several threads.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/tensor/tensor_view.h"
#include "server/batching/cost_model.h"
#include "server/batching/queue_policy.h"
#include "server/batching/task.h"

namespace sigserve {

/// Runs one batch and lends its results until the pointer is released.
using RunBatch = std::function<absl::StatusOr<BatchOutputs>(absl::Span<const TensorView> inputs)>;

struct BatchTarget {
  std::string model;  // its name, for metrics
  RunBatch run;
  /// Outputs of the model's signature.
  int outputs = 1;
  /// Dimension 0 of every input and output is the batch, and no row's results depend on the others.
  bool batchable = false;
  QueuePolicy queue;
  std::shared_ptr<CostModel> cost = std::make_shared<CostModel>();  // never null
};

/// Why a batch was run when it was.
enum class DispatchReason {
  kDrained,     // inline: all that had arrived was in it
  kWorkerFree,  // a compute thread was free: all that waited was in it
  kFull,        // no more rows, bytes or time fitted in
  kDeadline,    // more rows would have made its first request late
  kSplit,       // rows of a request that is spread over several batches
  kRetry,       // a task of a batch that failed, run alone to find whose fault it was
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
