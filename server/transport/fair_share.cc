#include "server/transport/fair_share.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace sigserve {
namespace {

constexpr absl::Duration kStretch = absl::Milliseconds(2);
constexpr absl::Duration kMaxRest = absl::Milliseconds(5);

}  // namespace

absl::Duration FairShare::Used(absl::Duration processor_time, absl::Duration now) {
  const absl::Duration passed = now - std::exchange(last_, now);
  credit_ = std::min(kStretch, credit_ + share_ * passed) - processor_time;
  return std::clamp(-credit_ / share_, absl::ZeroDuration(), kMaxRest);
}

absl::Duration ThreadProcessorTime() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return absl::DurationFromTimespec(time);
}

}  // namespace sigserve
