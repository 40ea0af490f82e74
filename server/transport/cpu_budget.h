// Keeps a thread that the kernel prefers from taking more than its share of a processor that others
// want, too: under overload I/O threads would otherwise read and refuse calls all the time, and no
// batch would run. What it leaves unread waits at the clients, whose calls are limited. One
// thread's own.
#pragma once

#include "absl/time/time.h"

namespace sigserve {

class CpuBudget {
 public:
  /// `share`, above 0: of the time, how much may be work. 1 or more = all of it.
  explicit CpuBudget(double share) : share_(share) {}

  bool limits() const { return share_ < 1; }

  /// Others want the processor from now on; or nobody does. Times: ThreadClock's, of this thread,
  /// and Clock::Monotonic's.
  void Begin(absl::Duration processor_time, absl::Duration now);
  void End() { begun_ = false; }
  bool begun() const { return begun_; }

  /// How long the thread is to rest now, for what it has used since Begin() or the last call;
  /// mostly not at all, for some milliseconds at a stretch are everybody's.
  absl::Duration Rest(absl::Duration processor_time, absl::Duration now);

 private:
  const double share_;
  bool begun_ = false;
  absl::Duration processor_time_;
  absl::Duration now_;
  absl::Duration credit_;  // what it may still use
};

}  // namespace sigserve
