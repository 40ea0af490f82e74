// Limits a thread's share of a processor: a token bucket of processor time. Tokens arrive at
// `share` per second of time that passes, the thread's work spends them, and when the bucket is
// empty the thread sleeps until it would have enough. Under overload an I/O thread would otherwise
// read and refuse calls all the time, and no batch would run; what it leaves unread waits at the
// clients, whose calls per connection are limited. Each instance belongs to one thread.
#pragma once

#include "absl/time/time.h"
#include "model/base/monotonic_time.h"

namespace sigserve {

class CpuBudget {
 public:
  /// `share` > 0: the fraction of the time that may be work; 1 or more = no limit.
  explicit CpuBudget(double share) : share_(share) {}

  bool limits() const { return share_ < 1; }

  /// Starts to count with a full bucket, unless it counts already. `processor_time`: what
  /// this thread has used by `now`, since it began.
  void Start(absl::Duration processor_time, MonotonicTime now);
  void Stop() { active_ = false; }
  bool active() const { return active_; }

  /// How long the thread is to sleep for what it has used since Start() or the last call. Usually
  /// zero: bursts of up to 2 ms are free.
  absl::Duration Rest(absl::Duration processor_time, MonotonicTime now);

 private:
  const double share_;
  bool active_ = false;
  absl::Duration processor_time_;
  MonotonicTime now_;
  absl::Duration tokens_;  // processor time; negative = a debt
};

}  // namespace sigserve
