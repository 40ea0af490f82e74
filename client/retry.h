// When to ask again, as a pure function. UNAVAILABLE is retried with exponential back-off and
// jitter; RESOURCE_EXHAUSTED only when the server pushed back with a time to wait (without one it
// may mean "message too large", which waiting does not cure). A server's push-back replaces the
// computed delay; a negative or unreadable one forbids retrying (gRPC's grpc-retry-pushback-ms).
// Never retried: a wait that would outlast the call's deadline.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sigserve::client {

struct RetryPolicy {
  int max_attempts = 3;  // the first included
  absl::Duration initial_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(2);
};

/// One attempt that failed.
struct FailedAttempt {
  int number = 1;  // from 1
  absl::StatusCode code = absl::StatusCode::kUnavailable;
  std::optional<std::string> pushback_ms = {};          // the server's trailing metadata, as sent
  absl::Duration remaining = absl::InfiniteDuration();  // until the call's deadline
};

/// How long to wait before the next attempt, or nothing when the error is to be returned.
/// `uniform` in [0, 1) spreads callers: the delay is backoff * (0.5 + uniform / 2).
std::optional<absl::Duration> DelayBeforeRetry(const RetryPolicy& policy,
                                               const FailedAttempt& failed, double uniform);

}  // namespace sigserve::client
