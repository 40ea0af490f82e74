#include "server/transport/cpu_budget.h"

#include <algorithm>
#include <utility>

namespace sigserve {
namespace {

// The bucket's size.
constexpr absl::Duration kBurst = absl::Milliseconds(2);
// Calls wait while the thread sleeps: debt beyond this is forgiven.
constexpr absl::Duration kMaxRest = absl::Milliseconds(10);

}  // namespace

void CpuBudget::Start(absl::Duration processor_time, MonotonicTime now) {
  if (active_) return;
  active_ = true;
  processor_time_ = processor_time;
  now_ = now;
  tokens_ = kBurst;
}

absl::Duration CpuBudget::Rest(absl::Duration processor_time, MonotonicTime now) {
  const absl::Duration used = processor_time - std::exchange(processor_time_, processor_time);
  const absl::Duration earned = share_ * (now - std::exchange(now_, now));
  tokens_ = std::clamp(tokens_ + earned - used, -share_ * kMaxRest, kBurst);
  return std::max(-tokens_ / share_, absl::ZeroDuration());
}

}  // namespace sigserve
