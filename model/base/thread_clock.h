// The processor's time that the calling thread has had: stands still while the thread waits for a
// processor.
#pragma once

#include "model/base/clock.h"

namespace sigserve {

class ThreadClock final : public Clock {
 public:
  /// Counted from the epoch; of no use but for differences.
  absl::Time Now() const override { return absl::UnixEpoch() + Monotonic(); }
  absl::Duration Monotonic() const override;
};

}  // namespace sigserve
