#include "client/retry.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/numbers.h"

namespace sigserve::client {

namespace {

// Close to the deadline the delays shrink, so that the last attempt comes shortly before it.
constexpr absl::Duration kLastAttempt = absl::Milliseconds(10);

absl::Duration Backoff(const RetryPolicy& policy, int attempt, double uniform) {
  // 30 doublings reach any sensible maximum and cannot overflow.
  const double factor = std::ldexp(1.0, std::min(attempt - 1, 30));
  return std::min(policy.initial_backoff * factor, policy.max_backoff) * (0.5 + uniform / 2);
}

}  // namespace

std::optional<absl::Duration> DelayBeforeRetry(const RetryPolicy& policy,
                                               const FailedAttempt& failed, double uniform) {
  if (failed.unreachable && policy.max_attempts > 1) {
    if (failed.remaining <= kLastAttempt) return std::nullopt;
    return std::min(Backoff(policy, failed.number, uniform), failed.remaining / 2);
  }
  if (failed.number >= policy.max_attempts) return std::nullopt;
  const bool retryable =
      failed.code == absl::StatusCode::kUnavailable ||
      (failed.code == absl::StatusCode::kResourceExhausted && failed.pushback_ms.has_value());
  if (!retryable) return std::nullopt;

  absl::Duration delay = Backoff(policy, failed.number, uniform);
  if (failed.pushback_ms.has_value()) {
    int64_t ms = 0;
    if (!absl::SimpleAtoi(*failed.pushback_ms, &ms) || ms < 0) return std::nullopt;
    delay = absl::Milliseconds(ms);
  }
  if (delay >= failed.remaining) return std::nullopt;
  return delay;
}

}  // namespace sigserve::client
