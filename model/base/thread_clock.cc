#include "model/base/thread_clock.h"

#include <ctime>

namespace sigserve {

absl::Duration ThreadClock::Monotonic() const {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return absl::DurationFromTimespec(time);
}

}  // namespace sigserve
