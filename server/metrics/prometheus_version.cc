#include "server/metrics/prometheus_version.h"

#include <algorithm>
#include <string>

namespace sigserve {

using prometheus::Counter;
using prometheus::Histogram;

namespace {

// Seconds. Ten microseconds is what a small model takes; ten seconds is when a client has gone.
const Histogram::BucketBoundaries& DurationBuckets() {
  static const auto* const buckets = new Histogram::BucketBoundaries{
      0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01,
      0.02,    0.05,    0.1,     0.2,    0.5,    1,      2,     5,     10};
  return *buckets;
}

const Histogram::BucketBoundaries& RowBuckets() {
  static const auto* const buckets = new Histogram::BucketBoundaries{
      1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
  return *buckets;
}

}  // namespace

PrometheusVersion::PrometheusVersion(const VersionFamilies& families,
                                     const prometheus::Labels& labels)
    : request_family_(families.requests),
      labels_(labels),
      durations_(families.durations.Add(labels, DurationBuckets())),
      rows_(families.rows.Add(labels)),
      batch_rows_(families.batch_rows.Add(labels, RowBuckets())) {}

void PrometheusVersion::Record(absl::Span<const RequestRecord> run) {
  Requests(run[0].method, run[0].code).Increment(static_cast<double>(run.size()));
  ObserveAll(&durations_, DurationBuckets(), run,
             [](const RequestRecord& record) { return absl::ToDoubleSeconds(record.total); });
  if (run[0].code != absl::StatusCode::kOk) return;
  int64_t rows = 0;
  for (const RequestRecord& record : run) rows += record.rows;
  rows_.Increment(static_cast<double>(rows));
  ObserveAll(&batch_rows_, RowBuckets(), run,
             [](const RequestRecord& record) { return static_cast<double>(record.batch_rows); });
}

Counter& PrometheusVersion::Requests(PredictMethod method, absl::StatusCode code) {
  std::atomic<Counter*>& known =
      requests_[static_cast<size_t>(method)][std::min(static_cast<size_t>(code), kCodes - 1)];
  Counter* counter = known.load(std::memory_order_acquire);
  if (counter == nullptr) {
    prometheus::Labels labels = labels_;
    labels["method"] = std::string(Name(method));
    labels["code"] = absl::StatusCodeToString(code);
    counter = &request_family_.Add(labels);  // equal labels give the same counter
    known.store(counter, std::memory_order_release);
  }
  return *counter;
}

/// Takes the histogram's lock once for all records.
template <typename Value>
void PrometheusVersion::ObserveAll(Histogram* histogram, const Histogram::BucketBoundaries& bounds,
                                   absl::Span<const RequestRecord> run, Value value) {
  if (run.size() == 1) return histogram->Observe(value(run[0]));
  absl::MutexLock lock(&mutex_);
  increments_.assign(bounds.size() + 1, 0);
  double sum = 0;
  for (const RequestRecord& record : run) {
    const double v = value(record);
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), v) - bounds.begin();
    increments_[static_cast<size_t>(bucket)] += 1;
    sum += v;
  }
  histogram->ObserveMultiple(increments_, sum);
}

}  // namespace sigserve
