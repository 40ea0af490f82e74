// Decides when an I/O thread polls for a while before it sleeps. Sleeping and waking costs a call
// more than everything else (20 of 35 us on loopback, more on a virtual machine). The thread spins
// only while calls keep arriving, and not while other threads want the processor. After a
// preemption while spinning it stops spinning for 100 ms. Each
// instance belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/time/time.h"
#include "model/base/monotonic_time.h"

namespace sigserve {

class SpinPolicy {
 public:
  /// `spin`: how long a spin lasts. `processor_is_wanted`: whether other threads could use the
  /// processor now; empty = never.
  explicit SpinPolicy(absl::Duration spin, std::function<bool()> processor_is_wanted = {})
      : spin_(spin), processor_is_wanted_(std::move(processor_is_wanted)) {}

  bool ShouldSpin(MonotonicTime now) const {
    return arriving_ && now >= pause_until_ && !(processor_is_wanted_ && processor_is_wanted_());
  }
  /// The thread slept and an event woke it, `waited` after it began to wait (time spent spinning
  /// and waking included). Spinning pays if a spin would have caught such an event.
  void OnWake(absl::Duration waited) { arriving_ = waited < 1.5 * spin_; }
  /// A spin ended without an event. `preemptions`: of this thread since it began.
  void OnSpinTimeout(int64_t preemptions, MonotonicTime now);

 private:
  const absl::Duration spin_;
  const std::function<bool()> processor_is_wanted_;
  bool arriving_ = false;
  int64_t preemptions_ = 0;
  MonotonicTime pause_until_ = MonotonicTime::InfinitePast();
};

/// How often the kernel has preempted the calling thread.
int64_t ThreadPreemptions();

}  // namespace sigserve
