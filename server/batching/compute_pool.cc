#include "server/batching/compute_pool.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "model/base/thread_clock.h"

namespace sigserve {
namespace {

// Added to the process's own nice value: below the I/O threads, above training unless the process
// is at 9 or more. Enough for an I/O thread never to have used up its share, little enough to get
// on next to other work.
constexpr int kNice = 10;

/// On Linux a thread has a nice value and a policy of its own. Where they are refused, batches only
/// compete harder.
void YieldToOthers() {
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + kNice);
  sched_param parameters = {};
  sched_setscheduler(static_cast<pid_t>(thread), SCHED_BATCH, &parameters);
}

}  // namespace

ComputePool::ComputePool(SchedulerOptions options, const Clock* clock, BatchObserver on_batch,
                         DropObserver on_drop)
    : clock_(clock),
      on_batch_(std::move(on_batch)),
      on_drop_(std::move(on_drop)),
      scheduler_(options) {
  for (int i = 0; i < options.workers; ++i) threads_.emplace_back([this] { Work(); });
}

ComputePool::~ComputePool() {
  std::vector<Scheduler::Dropped> dropped;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    scheduler_.Close();
    dropped = scheduler_.TakeDropped();
    work_.SignalAll();
  }
  End(dropped);
  for (std::thread& thread : threads_) thread.join();
}

void ComputePool::Add(const BatchTarget& target, Task task) {
  std::vector<Scheduler::Dropped> dropped;
  {
    absl::MutexLock lock(&mutex_);
    scheduler_.Offer(clock_->Monotonic(), target, std::move(task));
    dropped = scheduler_.TakeDropped();
    waiting_.store(scheduler_.queued_rows() > 0, std::memory_order_relaxed);
    work_.Signal();
  }
  End(dropped);
}

void ComputePool::End(const std::vector<Scheduler::Dropped>& dropped) const {
  for (const Scheduler::Dropped& task : dropped) {
    if (on_drop_) on_drop_(*task.target, task.reason);
    task.End();
  }
}

std::optional<Scheduler::Batch> ComputePool::NextBatch() {
  while (true) {
    std::optional<Scheduler::Batch> batch;
    std::vector<Scheduler::Dropped> dropped;
    {
      absl::MutexLock lock(&mutex_);
      while (true) {
        batch = scheduler_.Next(clock_->Monotonic());
        dropped = scheduler_.TakeDropped();
        const bool waiting = scheduler_.queued_rows() > 0;
        waiting_.store(waiting, std::memory_order_relaxed);
        if (batch.has_value()) running_.fetch_add(1, std::memory_order_relaxed);
        // One Add() wakes one thread, but may bring work for several: each wakes the next.
        if (batch.has_value() && waiting) work_.Signal();
        if (batch.has_value() || !dropped.empty()) break;
        if (stopping_) return std::nullopt;
        work_.Wait(&mutex_);
      }
    }
    End(dropped);
    if (batch.has_value()) return batch;
  }
}

void ComputePool::Work() {
  YieldToOthers();
  const ThreadClock cpu_clock;
  BatchRunner runner(clock_, &cpu_clock, on_batch_);
  while (std::optional<Scheduler::Batch> batch = NextBatch()) {
    const auto ended = [&] {
      absl::MutexLock lock(&mutex_);
      scheduler_.Ended(clock_->Monotonic(), batch->id);
    };
    runner.Run(*batch->target, absl::MakeSpan(batch->tasks), batch->reason, ended);
    running_.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace sigserve
