#include "server/transport/cpu_budget.h"

#include <algorithm>
#include <utility>

namespace sigserve {
namespace {

constexpr absl::Duration kStretch = absl::Milliseconds(2);
// What would take longer is forgiven: calls wait meanwhile.
constexpr absl::Duration kMaxRest = absl::Milliseconds(10);

}  // namespace

void CpuBudget::Begin(absl::Duration processor_time, absl::Duration now) {
  if (begun_) return;
  begun_ = true;
  processor_time_ = processor_time;
  now_ = now;
  credit_ = kStretch;
}

absl::Duration CpuBudget::Rest(absl::Duration processor_time, absl::Duration now) {
  const absl::Duration used = processor_time - std::exchange(processor_time_, processor_time);
  const absl::Duration earned = share_ * (now - std::exchange(now_, now));
  credit_ = std::clamp(credit_ + earned - used, -share_ * kMaxRest, kStretch);
  return std::max(-credit_ / share_, absl::ZeroDuration());
}

}  // namespace sigserve
