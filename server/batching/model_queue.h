// What waits of one model, for the scheduler: small and large requests in lanes of their own, each
// in the order of its priorities and, within one, in which it is due; and what all that will take
// by the model's cost. Values without threads or locks.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "absl/time/time.h"
#include "server/batching/batch_target.h"
#include "server/batching/split_task.h"
#include "server/batching/task.h"

namespace sigserve {

/// The time of a batch of `rows` rows; a guess until the model's cost is known.
double EstimateNs(const BatchTarget& target, int64_t rows);

/// Rows of a batch that is long enough to be worth its fixed cost, and not so long that other
/// models or the model's latency target suffer; at least 1. Requests with more are large.
int64_t GoodRows(const BatchTarget& target);

/// What `rows` rows add to the queued work: their share of good batches.
double QueuedNs(const BatchTarget& target, int64_t rows);

/// When a waiting task is due: its deadline, or a second after it came, so that none waits for ever
/// behind others of its priority.
MonotonicTime DueTime(const BatchTarget& target, const Task& task);

/// A task that waits, or what has not run of it.
struct QueuedTask {
  Task own;                          // unless split
  std::shared_ptr<SplitTask> split;  // once a part of it runs
  MonotonicTime due;
  int priority = 0;
  int64_t next_row = 0;
  double row_ns = 0;
  int64_t bytes = 0;

  const Task& task() const { return split != nullptr ? split->whole() : own; }
  int64_t rows() const { return task().rows - next_row; }
  double ns() const { return row_ns * static_cast<double>(rows()); }
};

class Lane {
 public:
  bool empty() const { return tasks_.empty(); }
  size_t size() const { return tasks_.size(); }
  double waiting_ns() const { return waiting_ns_; }
  /// Those of the first priority are first, of these those due first; of those due at the same
  /// time, those that came first.
  QueuedTask& at(size_t i) { return *tasks_[i]; }

  void Insert(std::unique_ptr<QueuedTask> task);
  std::unique_ptr<QueuedTask> Remove(size_t i);
  /// The next rows of the first task run; some are left.
  void TakeRows(int64_t rows);
  /// Work that comes before a task of this priority, due then. Looks at what comes after: mostly
  /// nothing.
  double NsBefore(int priority, MonotonicTime due) const;

  /// Whether tasks of several priorities wait: then dead ones are not only at the front.
  bool mixed() const { return !empty() && tasks_.front()->priority != tasks_.back()->priority; }
  /// The last task that has not run in part; -1 for none.
  int LastUnsplit() const;

  /// A task was taken to be run that had waited so long. Overloaded: tasks have waited for longer
  /// than `allowed` during `interval`, and not for less than half of it since.
  void NoteDelay(MonotonicTime now, absl::Duration waited, absl::Duration allowed,
                 absl::Duration interval);
  bool overloaded() const { return overloaded_; }

  double used_ns = 0;  // compute time it has had

 private:
  std::deque<std::unique_ptr<QueuedTask>> tasks_;
  double waiting_ns_ = 0;
  MonotonicTime above_since_ = MonotonicTime::InfiniteFuture();
  bool overloaded_ = false;
};

struct ModelQueue {
  const BatchTarget* target = nullptr;
  Lane small, large;
  int64_t rows = 0;
  int64_t bytes = 0;  // of inputs
  double turn = 0;    // compute time the model has had, by weight
  int running = 0;

  bool waiting() const { return !small.empty() || !large.empty(); }
  double waiting_ns() const { return small.waiting_ns() + large.waiting_ns(); }
  int64_t requests() const { return static_cast<int64_t>(small.size() + large.size()); }
  Lane& LaneOf(const Task& task) { return IsLarge(task) ? large : small; }
  Lane& OtherLane(const Task& task) { return IsLarge(task) ? small : large; }
  /// The lane of the first priority, or else the one whose turn it is; may be empty if both are.
  Lane& NextLane();

 private:
  bool IsLarge(const Task& task) const { return task.rows > GoodRows(*target); }
};

}  // namespace sigserve
