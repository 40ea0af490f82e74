// When an I/O thread polls for a while before it sleeps: sleeping and waking up costs a call more
// than all the rest (on loopback 20 of 35 us, more on a virtual machine). It does so only while
// calls keep coming, and not where the processor is wanted: not while others say so, and once the
// kernel takes it away from a thread that spins, that one sleeps at once for a while. Times are
// Clock::Monotonic's. One thread's own.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "absl/time/time.h"

namespace sigserve {

class SpinPolicy {
 public:
  /// How long a spin lasts, and whether others want the processor at this moment (empty = never).
  explicit SpinPolicy(absl::Duration spin, std::function<bool()> processor_is_wanted = {})
      : spin_(spin), processor_is_wanted_(std::move(processor_is_wanted)) {}

  bool Spins(absl::Duration now) const {
    return coming_ && now >= pause_until_ && !(processor_is_wanted_ && processor_is_wanted_());
  }
  /// An event came after this time of waiting, spun and slept: would a spin have caught it? Waking
  /// up is in that time.
  void Slept(absl::Duration waited) { coming_ = waited < 1.5 * spin_; }
  /// A spin ended without an event. `preemptions`: of this thread, so far.
  void SpunInVain(int64_t preemptions, absl::Duration now);

 private:
  const absl::Duration spin_;
  const std::function<bool()> processor_is_wanted_;
  bool coming_ = false;
  int64_t preemptions_ = 0;
  absl::Duration pause_until_ = -absl::InfiniteDuration();
};

/// How often the kernel has taken the processor from the calling thread.
int64_t ThreadPreemptions();

}  // namespace sigserve
