#include "model/base/thread_clock.h"

#include <ctime>

namespace sigserve {

MonotonicTime ThreadClock::Monotonic() const {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return MonotonicTime::AfterStart(absl::DurationFromTimespec(time));
}

}  // namespace sigserve
