#include "model/base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace sigserve {

absl::Time RealClock::Now() const { return absl::Now(); }

absl::Duration RealClock::Monotonic() const {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

absl::Time FakeClock::Now() const {
  absl::MutexLock lock(&mutex_);
  return absl::UnixEpoch() + elapsed_;
}

absl::Duration FakeClock::Monotonic() const {
  absl::MutexLock lock(&mutex_);
  return elapsed_;
}

void FakeClock::Advance(absl::Duration by) {
  absl::MutexLock lock(&mutex_);
  elapsed_ += by;
}

}  // namespace sigserve
