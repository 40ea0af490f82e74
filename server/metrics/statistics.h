// Counts per model and version, for ModelStatistics: a recorder that counts and passes the record
// on. Thread-safe; a record costs a shared lock, a map lookup and a few atomic adds. Records
// without a model are passed on uncounted, so clients cannot grow it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "model/base/clock.h"
#include "server/metrics/request_record.h"

namespace sigserve {

/// Totals since the server started.
struct VersionStatistics {
  std::string model;
  int64_t version = 0;  // 0 = requests that reached no version
  absl::Time last_inference = absl::InfinitePast();
  int64_t successes = 0;
  int64_t failures = 0;
  int64_t rows = 0;
  /// Batches run: each request adds its share of its batch, rounded at the end.
  int64_t batches = 0;
  absl::Duration success_time;  // totals of the answered requests
  absl::Duration failure_time;
  absl::Duration queued;
  absl::Duration computed;
};

class StatisticsRecorder final : public RequestRecorder {
 public:
  /// `next` and `clock` must outlive it.
  StatisticsRecorder(RequestRecorder* next, const Clock* clock);
  void RecordAll(absl::Span<const RequestRecord> records) override;
  void RecordBatch(absl::string_view model, absl::string_view reason) override {
    next_->RecordBatch(model, reason);
  }
  void RecordRefusal(absl::string_view model, absl::string_view reason) override {
    next_->RecordRefusal(model, reason);
  }

  /// Of every version, or of one model's if `model` is not empty; sorted by model and version.
  std::vector<VersionStatistics> Get(absl::string_view model) const;

 private:
  struct Counters {
    std::atomic<int64_t> last_inference_ns{0};
    std::atomic<int64_t> successes{0}, failures{0}, rows{0};
    std::atomic<double> batches{0};
    std::atomic<int64_t> success_ns{0}, failure_ns{0}, queued_ns{0}, computed_ns{0};
  };
  void RecordSeries(absl::Span<const RequestRecord> series);
  Counters& CountersOf(absl::string_view model, int64_t version);

  RequestRecorder* const next_;
  const Clock* const clock_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, absl::flat_hash_map<int64_t, std::unique_ptr<Counters>>> models_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace sigserve
