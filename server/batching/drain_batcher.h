// Batches without waiting: keeps the tasks of one I/O thread's turn, then runs each model's tasks
// together, on that same thread. A batch is what had arrived; nothing waits for company. Tasks that
// are late or whose caller has gone are not run. A batch that fails is run again task by task, so
// that one bad request harms no other.
//
// Single-threaded: one per I/O thread. Neither Add nor Drain may be called within a task's `done`.
// Inputs of several tasks are copied into one buffer of at most max_bytes, kept between turns; a
// task that is alone in its batch is not copied.
#pragma once

#include <cstdint>
#include <vector>

#include "model/base/aligned_buffer.h"
#include "model/base/clock.h"
#include "server/batching/batch_target.h"
#include "server/batching/task.h"

namespace sigserve {

struct DrainBatcherOptions {
  /// A batch of several tasks has at most so many rows and input bytes.
  int64_t max_rows = 512;
  int64_t max_bytes = int64_t{1} << 20;
};

class DrainBatcher final : public TaskSink {
 public:
  /// `clock` must outlive it.
  DrainBatcher(DrainBatcherOptions options, const Clock* clock, BatchObserver observer);

  /// Keeps the task for the next Drain().
  void Add(const BatchTarget& target, Task task) override;

  /// Calls `done` of every task kept, exactly once: with the results, with the error of the run,
  /// with DEADLINE_EXCEEDED (late; says by how much) or with CANCELLED. The last `done` of a target
  /// may release it.
  void Drain();

 private:
  struct Group {
    const BatchTarget* target = nullptr;
    std::vector<Task> tasks;
  };

  void RunGroup(Group& group);
  /// Ends those that are not to be run; the rest stay, in their order.
  void DropDead(std::vector<Task>& tasks) const;
  void RunTogether(const BatchTarget& target, absl::Span<Task> tasks, DispatchReason reason);
  void RunAlone(const BatchTarget& target, Task& task, DispatchReason reason);
  std::vector<TensorView>& Concatenate(absl::Span<Task> tasks, int64_t rows);
  void Observe(const BatchTarget& target, DispatchReason reason) const;

  const DrainBatcherOptions options_;
  const Clock* const clock_;
  const BatchObserver observer_;
  // The first `used_` groups hold tasks; all keep their memory between turns.
  std::vector<Group> groups_;
  size_t used_ = 0;
  std::vector<AlignedBuffer> joined_;  // by input
  std::vector<TensorView> joined_views_;
};

}  // namespace sigserve
