// One model version's time series in Prometheus. Internal to the exporter.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/labels.h>

#include <array>
#include <atomic>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/metrics/version_series.h"

namespace sigserve {

/// The metrics that have a series per version. Must outlive it.
struct VersionFamilies {
  prometheus::Family<prometheus::Counter>& requests;
  prometheus::Family<prometheus::Histogram>& durations;
  prometheus::Family<prometheus::Counter>& rows;
  prometheus::Family<prometheus::Histogram>& batch_rows;
};

class PrometheusVersion final : public VersionSeries {
 public:
  /// `labels`: model and version.
  PrometheusVersion(const VersionFamilies& families, const prometheus::Labels& labels);

  void Record(absl::Span<const RequestRecord> run) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // absl::Status::code() returns gRPC's codes only: 0 to 16.
  static constexpr size_t kCodes = 17;

  prometheus::Counter& Requests(PredictMethod method, absl::StatusCode code);
  template <typename Value>
  void ObserveAll(prometheus::Histogram* histogram,
                  const prometheus::Histogram::BucketBoundaries& bounds,
                  absl::Span<const RequestRecord> run, Value value) ABSL_LOCKS_EXCLUDED(mutex_);

  prometheus::Family<prometheus::Counter>& request_family_;
  const prometheus::Labels labels_;
  prometheus::Histogram& durations_;
  prometheus::Counter& rows_;
  prometheus::Histogram& batch_rows_;
  // Null until the first request of its method and code: that is when its series appears.
  std::array<std::array<std::atomic<prometheus::Counter*>, kCodes>, kPredictMethods> requests_ = {};
  absl::Mutex mutex_;
  std::vector<double> increments_ ABSL_GUARDED_BY(mutex_);  // keeps its memory
};

}  // namespace sigserve
