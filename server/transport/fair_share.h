// Keeps a thread that the kernel prefers from taking more than its share of a processor that others
// want, too: under overload I/O threads would otherwise read and refuse calls all the time, and no
// batch would run. What it leaves unread waits at the clients, whose calls are limited. One
// thread's own.
#pragma once

#include "absl/time/time.h"

namespace sigserve {

class FairShare {
 public:
  /// `share` of the time may be work, above 0 and at most 1; 1 = all of it.
  explicit FairShare(double share) : share_(share) {}

  /// Others wanted the processor, and the thread has used so much of its time; it is `now` by
  /// Clock::Monotonic. How long it is to rest; mostly not at all, for some milliseconds at a
  /// stretch are everybody's.
  absl::Duration Used(absl::Duration processor_time, absl::Duration now);

  bool limits() const { return share_ < 1; }

 private:
  const double share_;
  absl::Duration last_ = -absl::InfiniteDuration();
  absl::Duration credit_ = absl::ZeroDuration();  // what it may still use
};

/// The processor's time that the calling thread has had.
absl::Duration ThreadProcessorTime();

}  // namespace sigserve
