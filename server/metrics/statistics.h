// Counts requests per model version: totals for ModelStatistics here, time series in the exporter.
// A run of equal records costs one lookup under a shared lock and a few atomic additions.
// Thread-safe. Records without a model share one entry, so that clients cannot grow the map.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "model/base/clock.h"
#include "server/metrics/request_record.h"
#include "server/metrics/version_series.h"

namespace sigserve {

/// Totals since the server started.
struct VersionStatistics {
  std::string model;
  int64_t version = 0;  // 0: requests that reached no version
  absl::Time last_inference = absl::InfinitePast();
  int64_t successes = 0;
  int64_t failures = 0;
  int64_t rows = 0;
  /// Batches run: each request adds its share of its batch; rounded here.
  int64_t batches = 0;
  absl::Duration success_time;  // totals of the answered requests
  absl::Duration failure_time;
  absl::Duration queued;
  absl::Duration computed;
};

class StatisticsRecorder final : public RequestRecorder {
 public:
  /// `exporter` and `clock` must outlive it.
  StatisticsRecorder(RequestExporter* exporter, const Clock* clock)
      : exporter_(exporter), clock_(clock) {}

  void RecordAll(absl::Span<const RequestRecord> records) override ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordBatch(absl::string_view model, absl::string_view reason) override {
    exporter_->RecordBatch(model, reason);
  }
  void RecordRefusal(absl::string_view model, absl::string_view reason) override {
    exporter_->RecordRefusal(model, reason);
  }

  /// Every version, or one model's if `model` is not empty; sorted by model and version.
  std::vector<VersionStatistics> Get(absl::string_view model) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Counters {
    void Add(absl::Span<const RequestRecord> run, absl::Time now);
    VersionStatistics Read() const;

    std::atomic<int64_t> last_inference_ns{0};
    std::atomic<int64_t> successes{0}, failures{0}, rows{0};
    std::atomic<double> batches{0};
    std::atomic<int64_t> success_ns{0}, failure_ns{0}, queued_ns{0}, computed_ns{0};
  };
  struct Version {
    Counters counters;
    std::unique_ptr<VersionSeries> series;
  };
  // The map owns its strings; records look them up by views.
  using Key = std::pair<absl::string_view, int64_t>;
  struct OwnedKey {
    std::string model;
    int64_t version;
    operator Key() const { return {model, version}; }  // NOLINT(google-explicit-constructor)
  };
  struct HashKey {
    using is_transparent = void;
    size_t operator()(const Key& key) const { return absl::Hash<Key>()(key); }
  };
  struct EqualKey {
    using is_transparent = void;
    bool operator()(const Key& a, const Key& b) const { return a == b; }
  };

  /// Versions are never removed, so the reference stays valid.
  Version& Find(const Key& key) ABSL_LOCKS_EXCLUDED(mutex_);

  RequestExporter* const exporter_;
  const Clock* const clock_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<OwnedKey, std::unique_ptr<Version>, HashKey, EqualKey> versions_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace sigserve
