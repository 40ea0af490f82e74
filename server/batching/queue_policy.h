// How a model's requests wait for the compute threads: read from its config, kept by the scheduler.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace sigserve {

struct QueuePolicy {
  /// What a request should take, queueing and compute together: half for each.
  absl::Duration latency_target = absl::InfiniteDuration();
  /// The model's share of the compute threads while several models are busy; above 0.
  double weight = 1;
  /// A request that has waited longer is refused.
  absl::Duration max_wait = absl::InfiniteDuration();
  /// The most requests that wait; 0 = bounded in rows, bytes and time only.
  int64_t max_requests = 0;
  /// Requests may set a priority from 1 (highest) to this; 0 = the field is ignored.
  int priority_levels = 0;
  /// The priority of requests that set none.
  int default_priority = 0;
};

}  // namespace sigserve
