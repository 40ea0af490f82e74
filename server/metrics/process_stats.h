// The process metrics that every Prometheus client library exports:
// process_start_time_seconds, process_resident_memory_bytes, process_cpu_seconds_total,
// process_open_fds. Linux only (/proc). Thread-safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sigserve {

class ProcessStats {
 public:
  /// `registry` must outlive it.
  explicit ProcessStats(prometheus::Registry* registry);

  /// Updates the figures; to be called before each exposition.
  void Update() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  prometheus::Gauge& resident_memory_;
  prometheus::Gauge& open_fds_;
  absl::Mutex mutex_;
  prometheus::Counter& cpu_ ABSL_GUARDED_BY(mutex_);  // read, then incremented by the difference
};

}  // namespace sigserve
