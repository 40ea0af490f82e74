// The heavy lane: threads that run the batches which a Scheduler forms, so that no I/O thread is
// held by a heavy model. The threads yield to the I/O threads where processors are scarce.
//
// Thread-safe. Add() never blocks on a model: it calls `done` at once for a task that is refused
// (RESOURCE_EXHAUSTED, with RetryAfter), else a compute thread will, also when a batch fails or the
// pool ends.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "model/base/clock.h"
#include "server/batching/batch_runner.h"
#include "server/batching/batch_target.h"
#include "server/batching/scheduler.h"

namespace sigserve {

/// Told of every task that was dropped, before its `done`. May be empty.
using DropObserver = std::function<void(const BatchTarget& target, DropReason reason)>;

class ComputePool final : public TaskSink {
 public:
  /// Starts options.workers threads. `clock` must outlive it.
  ComputePool(SchedulerOptions options, const Clock* clock, BatchObserver on_batch,
              DropObserver on_drop);
  /// Lets what runs end, drops what waits (UNAVAILABLE), ends the threads.
  ~ComputePool();
  ComputePool(const ComputePool&) = delete;
  ComputePool& operator=(const ComputePool&) = delete;

  void Add(const BatchTarget& target, Task task) override ABSL_LOCKS_EXCLUDED(mutex_);
  /// What waits at this moment.
  std::vector<Scheduler::Queue> queues() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return scheduler_.queues();
  }
  /// Threads that run a batch at this moment, and one more if tasks wait, which a thread would take
  /// if it had a processor.
  int busy() const {
    return running_.load(std::memory_order_relaxed) +
           (waiting_.load(std::memory_order_relaxed) ? 1 : 0);
  }

 private:
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Waits for the next batch; nothing when the pool ends.
  std::optional<Scheduler::Batch> NextBatch() ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const std::vector<Scheduler::Dropped>& dropped) const;

  const Clock* const clock_;
  const BatchObserver on_batch_;
  const DropObserver on_drop_;
  mutable absl::Mutex mutex_;
  absl::CondVar work_;
  Scheduler scheduler_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<int> running_{0};
  std::atomic<bool> waiting_{false};  // whether tasks are queued
  std::vector<std::thread> threads_;
};

}  // namespace sigserve
