// Which batch a free compute thread runs next, and which requests are refused: a pure state machine
// that is told the time. It starts no thread, takes no lock and calls no `done`; its owner does
// (compute_pool.h), and so does a simulation.
//
// - A batch is formed when a thread is free, from what waits then: never more than a model's
//   latency target, its deadlines and a fair turn allow, by estimate. Large requests run in parts.
// - Models take turns by compute time, by weight. Within a model, small and large requests take
//   turns, too; within each, the earliest deadline comes first, then the first that came.
// - Queues are bounded in rows, bytes and estimated time. A request is refused at once when it
//   cannot be done before its deadline, when it does not fit, and when waiting has stayed above
//   `delay_target` for `delay_interval` and it would wait longer than that (delay-based: a burst is
//   not refused). One model's requests keep no other model out: where bytes are short, each may
//   have its share of them by weight, and what others have beyond theirs is dropped. A request that
//   finds a free thread and an empty queue is never refused, so that estimates which are too high
//   get corrected; nor is one for its own length while that is a guess.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/batching/batch_target.h"
#include "server/batching/model_queue.h"
#include "server/batching/refusal.h"
#include "server/batching/split_task.h"
#include "server/batching/task.h"

namespace sigserve {

struct SchedulerOptions {
  /// Batches that run at the same time.
  int workers = 1;
  /// CoDel's target (Nichols and Jacobson, Controlling Queue Delay, 2012): acceptable queueing
  /// delay, or the time of 64 requests if that is longer; half of a model's latency target if set.
  absl::Duration delay_target = absl::Milliseconds(25);
  absl::Duration delay_interval = absl::Milliseconds(100);
  /// What may wait of one model: compute time, for each worker, and rows. No more time than four
  /// times the model's latency target.
  absl::Duration max_time = absl::Seconds(2);
  int64_t max_rows = int64_t{1} << 20;
  /// What may wait in all: bytes of inputs; twice that where requests have started in part, which
  /// are not dropped to make room.
  int64_t max_bytes = int64_t{256} << 20;
};

class Scheduler {
 public:
  struct Batch {
    int64_t id = 0;
    const BatchTarget* target = nullptr;
    DispatchReason reason = DispatchReason::kWorkerFree;
    std::vector<Task> tasks;
  };
  /// A task, or the rest of one, that will not run: its owner calls End(), once.
  struct Dropped {
    const BatchTarget* target = nullptr;  // stays until End()
    DropReason reason = DropReason::kClosed;
    absl::Status status;
    Task task;                              // unless it is split
    std::shared_ptr<SplitTask> split = {};  // then these rows of it
    int64_t rows = 0;
    void End() const;
  };

  explicit Scheduler(SchedulerOptions options);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Takes a task in, or drops it. After that, ask Next() for each idle worker.
  void Offer(MonotonicTime now, const BatchTarget& target, Task task);
  /// The next batch for an idle worker; nothing when no task can run now.
  std::optional<Batch> Next(MonotonicTime now);
  /// The batch has been computed; to be called before the last `done` of its tasks.
  void Ended(MonotonicTime now, int64_t batch);
  /// What the calls above have dropped since this was last asked.
  std::vector<Dropped> TakeDropped();
  /// Drops all that waits, and all that is offered from now on: UNAVAILABLE.
  void Close();

  int running() const { return static_cast<int>(running_.size()); }
  int64_t queued_rows() const;
  int64_t queued_bytes() const { return bytes_; }
  /// Compute time of what waits, by estimate.
  absl::Duration queued_time() const;
  /// What waits of one model, or of one of its versions.
  struct Queue {
    std::string model;
    int64_t rows = 0;
    absl::Duration time;
  };
  std::vector<Queue> queues() const;

 private:
  struct Running {
    int64_t id;
    const BatchTarget* target;
    MonotonicTime start;
    double ns;   // estimated
    bool known;  // the estimate is one
  };

  ModelQueue* Find(const BatchTarget& target) const;
  std::vector<ModelQueue*> AllModels() const;
  void RemoveIfIdle(const ModelQueue* model);
  /// Why the task is not to be taken in, if it is not.
  std::optional<Dropped> Refuse(MonotonicTime now, const BatchTarget& target, const Task& task);
  /// Whether some bound of the queues has no room for it.
  bool Full(const BatchTarget& target, const Task& task) const;
  /// A lane of the model with a task of a lower priority that can be dropped; null for none.
  static Lane* LaneBelow(ModelQueue* model, int priority);
  /// Drops tasks of lower priorities of the same model until the task fits; whether it does then.
  bool PushOutBelow(const BatchTarget& target, const Task& task);
  /// Bytes that a model may have waiting whatever the others have.
  int64_t ShareOfBytes(const BatchTarget& target) const;
  /// Drops what others have beyond their shares until all that waits fits.
  void MakeRoomFor(const ModelQueue* model);
  /// Estimated wait for a task with `ahead_ns` of its own model's work queued ahead of it.
  absl::Duration Wait(MonotonicTime now, const BatchTarget& target, double ahead_ns) const;
  absl::Duration DelayTarget(const BatchTarget& target) const;
  /// Takes a task out of its queue.
  std::unique_ptr<QueuedTask> Remove(ModelQueue* model, Lane* lane, size_t at);
  void Drop(ModelQueue* model, Lane* lane, size_t at, DropReason reason, absl::Status status);
  bool DropIfDead(MonotonicTime now, ModelQueue* model, Lane* lane, size_t at);
  /// Drops all that is dead, wherever it stands.
  void Sweep(MonotonicTime now);
  ModelQueue* NextModel() const;
  /// A batch of what is first in the lane.
  Batch Form(MonotonicTime now, ModelQueue* model, Lane* lane);
  /// Whole tasks, the first in any case; returns their rows.
  int64_t Gather(MonotonicTime now, ModelQueue* model, Lane* lane, int64_t limit, Batch* batch);
  /// The most rows of the next batch, and whether a deadline made it fewer.
  int64_t RowLimit(MonotonicTime now, const ModelQueue& model, const QueuedTask& first,
                   bool* by_deadline) const;

  const SchedulerOptions options_;
  std::vector<std::unique_ptr<ModelQueue>> models_;  // those with tasks waiting or running
  std::vector<Running> running_;
  std::vector<Dropped> dropped_;
  int64_t bytes_ = 0;
  int64_t next_id_ = 1;
  double turn_ = 0;  // where the model that ran last stands in the round
  MonotonicTime swept_ = MonotonicTime::InfinitePast();
  bool closed_ = false;
};

}  // namespace sigserve
