// When to repeat a failed call, as a pure function. Exponential back-off with jitter.
//   UNAVAILABLE from a server: retried, at most `max_attempts` in all.
//   No connection: retried until the deadline, however many attempts that takes; the server may
//   still be starting.
//   RESOURCE_EXHAUSTED: retried only if the server says when (without that it may mean "message too
//   large", which no retry cures).
// A server's push-back (gRPC's grpc-retry-pushback-ms) replaces the computed delay; a negative or
// malformed one forbids a retry. A delay that would pass the deadline is not waited for.
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
  bool unreachable = false;                             // no connection: no server gave this answer
  std::optional<std::string> pushback_ms = {};          // the server's trailing metadata, as sent
  absl::Duration remaining = absl::InfiniteDuration();  // until the call's deadline
};

/// The delay before the next attempt, or nothing if the error is final. `uniform` in [0, 1) spreads
/// clients over time: the delay is backoff * (0.5 + uniform / 2).
std::optional<absl::Duration> DelayBeforeRetry(const RetryPolicy& policy,
                                               const FailedAttempt& failed, double uniform);

}  // namespace sigserve::client
