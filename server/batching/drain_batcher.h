// The inline lane: keeps the tasks of one I/O thread's turn, then runs each model's tasks together,
// on that same thread. A batch is what had arrived; there is no batching delay. Tasks that are late
// or whose caller has gone are not run. What would hold the thread for too long, by the model's
// measured cost, goes to the heavy lane instead.
//
// Single-threaded: one per I/O thread. Neither Add nor Drain may be called within a task's `done`.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/base/clock.h"
#include "server/batching/batch_runner.h"
#include "server/batching/batch_target.h"
#include "server/batching/task.h"

namespace sigserve {

struct DrainBatcherOptions {
  /// Limits of a batch of several tasks: rows, and bytes of input.
  int64_t max_rows = 512;
  int64_t max_bytes = int64_t{1} << 20;
  /// What one model may hold the thread for in a turn, by estimate.
  absl::Duration inline_time = absl::Microseconds(150);
  /// Handing a task over and waking the transport for its answer costs more than this: models whose
  /// tasks take less stay inline up to `cheap_turn` a turn.
  absl::Duration cheap_task = absl::Microseconds(10);
  absl::Duration cheap_turn = absl::Milliseconds(5);
};

class DrainBatcher final : public TaskSink {
 public:
  /// `clock` and `heavy` must outlive it. Without a heavy lane all is run inline.
  DrainBatcher(DrainBatcherOptions options, const Clock* clock, BatchObserver observer,
               TaskSink* heavy = nullptr);

  /// Keeps the task for the next Drain().
  void Add(const BatchTarget& target, Task task) override;

  /// Calls `done` of every task kept, exactly once: with the results, with the error of the run,
  /// with DEADLINE_EXCEEDED (late; says by how much) or with CANCELLED; or hands it to the heavy
  /// lane. The last `done` of a target may release it.
  void Drain();

 private:
  struct Group {
    const BatchTarget* target = nullptr;
    std::vector<Task> tasks;
  };

  void RunGroup(Group& group);
  /// Ends those that are not to be run; returns the rest, in their order, moved to the front.
  absl::Span<Task> EndDead(absl::Span<Task> tasks) const;
  /// Passes on what is too much for this thread; the rest stays, in its order.
  void HandOver(const BatchTarget& target, std::vector<Task>& tasks) const;

  const DrainBatcherOptions options_;
  const Clock* const clock_;
  TaskSink* const heavy_;
  BatchRunner runner_;
  // The first `used_` groups hold tasks; all keep their memory between turns.
  std::vector<Group> groups_;
  size_t used_ = 0;
};

}  // namespace sigserve
