// The CPU time of the calling thread: stands still while the thread waits or is preempted.
#pragma once

#include "model/base/clock.h"

namespace sigserve {

class ThreadClock final : public Clock {
 public:
  /// Counted from the epoch; only differences are meaningful.
  absl::Time Now() const override { return absl::UnixEpoch() + Monotonic().since_start(); }
  MonotonicTime Monotonic() const override;
};

}  // namespace sigserve
