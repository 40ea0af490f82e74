// One load run: sends a workload over several connections from the caller's thread, which polls
// without sleeping (give it a core of its own), and counts every answer.
//
// Closed loop: `concurrency` calls are kept in flight. Open loop: calls are due at `rate`, as a
// Poisson process, and latency counts from when a call was due, even if it was sent later (no
// coordinated omission). Calls that are never sent or answered count with their age at the end. A
// call whose deadline passes before it could be sent is not sent and counts as expired. The server
// is told the whole deadline, whenever the call is sent.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/bench/latency_histogram.h"
#include "client/bench/workload.h"

namespace sigserve::bench {

struct LoadOptions {
  std::string address = {};
  int connections = 1;      // at most one per call in flight
  int64_t concurrency = 1;  // calls in flight, over all connections; ignored if `rate` is given
  double rate = 0;          // calls/s; 0 = closed loop
  int64_t deadline_ms = 0;  // 0 = none
  double warmup_s = 0.5;
  double duration_s = 3;
  uint64_t seed = 1;
};

constexpr int kCodes = 17;  // of gRPC, OK to UNAUTHENTICATED

struct LoadResult {
  /// Of all calls due after the warm-up, except those in `failure_latency` and `expired`.
  LatencyHistogram latency;
  /// Of calls answered with an error; apart, because a quick refusal would improve the figures.
  LatencyHistogram failure_latency;
  /// All answered calls due after the warm-up by gRPC status code.
  std::array<int64_t, kCodes> codes = {};
  int64_t unanswered = 0;         // sent, warm-up included, and no answer 2 s after the end
  int64_t unsent = 0;             // due, but never sent: the server accepted no more calls
  int64_t expired = 0;            // due, but not sent before the deadline
  double offered_per_second = 0;  // 0 in a closed loop
  /// OK answers that arrived between warm-up and end.
  double ok_per_second = 0;
  /// Share of the time in which this thread had work. Near 1, the client is the limit.
  double client_busy = 0;
  int64_t reconnects = 0;
  /// Answers of the whole run, warm-up included: the divisor of the server's CPU time.
  int64_t answers_in_all = 0;
  /// Of the background load, if there was one: empty or one entry.
  std::vector<LoadResult> background = {};
};

/// Calls of another workload, kept in flight during the whole run on connections of their own
/// (no more than LoadOptions::connections). Sent from the same thread: two polling threads would
/// compete for the core.
struct BackgroundLoad {
  const Workload* workload = nullptr;  // null = none
  int64_t concurrency = 1;
};

/// UNAVAILABLE if the server cannot be reached, or is lost more often than once in 100 answers.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options, const Workload& workload,
                                   const BackgroundLoad& background = {});

}  // namespace sigserve::bench
