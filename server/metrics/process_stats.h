// The process's own figures under the names every Prometheus client uses:
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

  /// Brings the figures up to date: called before each exposition.
  void Update() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  prometheus::Gauge& resident_memory_;
  prometheus::Gauge& open_fds_;
  absl::Mutex mutex_;
  prometheus::Counter& cpu_ ABSL_GUARDED_BY(mutex_);  // its step is read, then added
};

}  // namespace sigserve
