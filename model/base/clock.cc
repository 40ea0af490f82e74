#include "model/base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace sigserve {

absl::Time RealClock::Now() const { return absl::Now(); }

MonotonicTime RealClock::Monotonic() const {
  return MonotonicTime::AfterStart(
      absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
}

absl::Time FakeClock::Now() const {
  absl::MutexLock lock(&mutex_);
  return absl::UnixEpoch() + elapsed_;
}

MonotonicTime FakeClock::Monotonic() const {
  absl::MutexLock lock(&mutex_);
  return MonotonicTime::AfterStart(elapsed_);
}

void FakeClock::Advance(absl::Duration by) {
  absl::MutexLock lock(&mutex_);
  elapsed_ += by;
}

}  // namespace sigserve
