// Runs tasks of one model as one batch on the calling thread and ends each with its rows of the
// results. A batch that fails is run again task by task, so that one bad request harms no other;
// tasks that are late or abandoned by then are not.
// What a batch cost goes to the model's cost model.
//
// One per thread. Inputs of several tasks are copied into buffers kept between batches; a task that
// is alone in its batch is not copied, unless its memory is not aligned to its elements.
#pragma once

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "model/base/aligned_buffer.h"
#include "model/base/clock.h"
#include "server/batching/batch_target.h"
#include "server/batching/task.h"

namespace sigserve {

class BatchRunner {
 public:
  /// `clock` for what callers are told; `cost_clock` for what a batch costs: the same, or one that
  /// stands still while the thread waits for a processor. Both must outlive it.
  BatchRunner(const Clock* clock, const Clock* cost_clock, BatchObserver observer);

  /// Calls every task's `done` once. Several tasks must be stackable (CanStack), and the target
  /// batchable. `computed` is called once, before the first `done`: the target may go with the last
  /// one.
  void Run(const BatchTarget& target, absl::Span<Task> tasks, DispatchReason reason,
           absl::FunctionRef<void()> computed);

 private:
  using Outputs = absl::StatusOr<BatchOutputs>;

  void RunAlone(const BatchTarget& target, Task& task, DispatchReason reason,
                absl::FunctionRef<void()> computed);
  /// Runs and measures; fills all of `timing` but what is a task's own.
  Outputs Compute(const BatchTarget& target,
                  absl::FunctionRef<absl::Span<const TensorView>()> inputs, DispatchReason reason,
                  MonotonicTime* start, TaskTiming* timing);
  absl::Span<const TensorView> Concatenate(absl::Span<Task> tasks, int64_t rows);
  /// The task's inputs, in aligned memory.
  absl::Span<const TensorView> Aligned(const Task& task);
  /// The buffer of an input, with room for `bytes` bytes.
  void* Room(size_t input, size_t bytes);

  const Clock* const clock_;
  const Clock* const cost_clock_;
  const BatchObserver observer_;
  static constexpr size_t kMaxKept = size_t{4} << 20;
  std::vector<AlignedBuffer> joined_;  // by input; larger ones go with the next batch
  std::vector<TensorView> joined_views_;
};

}  // namespace sigserve
