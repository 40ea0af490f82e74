#include "client/retry.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/numbers.h"

namespace sigserve::client {

std::optional<absl::Duration> DelayBeforeRetry(const RetryPolicy& policy,
                                               const FailedAttempt& failed, double uniform) {
  if (failed.number >= policy.max_attempts) return std::nullopt;
  const bool retryable =
      failed.code == absl::StatusCode::kUnavailable ||
      (failed.code == absl::StatusCode::kResourceExhausted && failed.pushback_ms.has_value());
  if (!retryable) return std::nullopt;

  absl::Duration delay;
  if (failed.pushback_ms.has_value()) {
    int64_t ms = 0;
    if (!absl::SimpleAtoi(*failed.pushback_ms, &ms) || ms < 0) return std::nullopt;
    delay = absl::Milliseconds(ms);
  } else {
    // 30 doublings reach any sensible maximum and cannot overflow.
    const double factor = std::ldexp(1.0, std::min(failed.number - 1, 30));
    delay = std::min(policy.initial_backoff * factor, policy.max_backoff) * (0.5 + uniform / 2);
  }
  if (delay >= failed.remaining) return std::nullopt;
  return delay;
}

}  // namespace sigserve::client
