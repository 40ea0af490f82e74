// The models' series: sigserve_model_ready{model}, sigserve_model_versions{model,state} and
// sigserve_model_load_failures_total{model}. A model that is gone has no ready or versions series.
// Thread-safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sigserve {

/// One model: how many of its versions are in which state.
struct ModelVersions {
  std::string model;
  int64_t loading = 0;
  int64_t ready = 0;
  int64_t failed = 0;
  /// On request.
  int64_t unloaded = 0;
};

class ModelMetrics {
 public:
  using Read = std::function<std::vector<ModelVersions>()>;

  /// `registry` must outlive it.
  explicit ModelMetrics(prometheus::Registry* registry);

  /// `read` is called before each exposition. Null: the series stay as they are; on return
  /// no call of the previous one is running.
  void Show(Read read) ABSL_LOCKS_EXCLUDED(mutex_);
  void CountLoadFailure(const std::string& model);
  /// Brings the series up to date.
  void Update() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Series {
    prometheus::Gauge* ready;
    prometheus::Gauge* loading_versions;
    prometheus::Gauge* ready_versions;
    prometheus::Gauge* failed_versions;
    prometheus::Gauge* unloaded_versions;
  };
  Series& SeriesOf(const std::string& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remove(const Series& series);

  prometheus::Family<prometheus::Gauge>& ready_;
  prometheus::Family<prometheus::Gauge>& versions_;
  prometheus::Family<prometheus::Counter>& failures_;
  absl::Mutex mutex_;
  Read read_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Series> series_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sigserve
