// One load run: sends a workload over several connections from the caller's thread, which polls
// without sleeping (give it a core of its own), and tallies every answer.
//
// Closed loop: `concurrency` calls are kept in flight. Open loop: calls are due at `rate`, like
// independent callers', and latency counts from when a call was due, however late it could be sent
// (no coordinated omission). Calls that are never sent or answered count with their age at the end;
// but with a deadline, one that is over before the call could be sent ends it, as in any client.
// (The server is told the whole deadline whenever the call is sent.)
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
  int connections = 1;      // no more than calls in flight
  int64_t concurrency = 1;  // in all; ignored if `rate` is given
  double rate = 0;          // calls/s; 0 = closed loop
  int64_t deadline_ms = 0;  // 0 = none
  double warmup_s = 0.5;
  double duration_s = 3;
  uint64_t seed = 1;
};

constexpr int kCodes = 17;  // of gRPC, OK to UNAUTHENTICATED

struct LoadResult {
  /// Of all calls due after the warm-up, but those in `failure_latency` and `expired`.
  LatencyHistogram latency;
  /// Of those that were answered with an error: a quick refusal makes no fast server.
  LatencyHistogram failure_latency;
  /// All answered calls due after the warm-up by gRPC status code.
  std::array<int64_t, kCodes> codes = {};
  int64_t unanswered = 0;         // sent, warm-up included, and no answer 2 s after the end
  int64_t unsent = 0;             // due, and never sent: the server took no more calls
  int64_t expired = 0;            // due, and not sent before the deadline
  double offered_per_second = 0;  // 0 in a closed loop
  /// OK answers that arrived between warm-up and end.
  double ok_per_second = 0;
  /// The share of the time in which this thread had something to do. Near 1: the client is the
  /// limit.
  double client_busy = 0;
  int64_t reconnects = 0;
  /// Answers of the whole run, warm-up included: what a server's CPU time is to be divided by.
  int64_t answers_in_all = 0;
  /// Of the load beside it, if there was one.
  std::vector<LoadResult> beside = {};
};

/// Calls of another workload that are kept in flight all the while, on connections of their own, at
/// most as many. In the same thread, for two that poll would take the core from each other.
struct Beside {
  const Workload* workload = nullptr;  // null = none
  int64_t concurrency = 1;
};

/// UNAVAILABLE if the server cannot be reached, or is lost more often than once in 100 answers.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options, const Workload& workload,
                                   const Beside& beside = {});

}  // namespace sigserve::bench
