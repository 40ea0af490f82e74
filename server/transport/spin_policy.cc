#include "server/transport/spin_policy.h"

#include <sys/resource.h>

#include <utility>

namespace sigserve {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(100);

}  // namespace

void SpinPolicy::OnSpinTimeout(int64_t preemptions, MonotonicTime now) {
  if (std::exchange(preemptions_, preemptions) != preemptions) pause_until_ = now + kPause;
}

int64_t ThreadPreemptions() {
  rusage usage = {};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

}  // namespace sigserve
