#include "server/metrics/exporter.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/metrics/process_stats.h"

namespace sigserve {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

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

#if defined(__clang__)
constexpr char kCompiler[] = "clang " __clang_version__;
#else
constexpr char kCompiler[] = "gcc " __VERSION__;
#endif

// What one model version's successful answers touch.
struct VersionMetrics {
  Histogram* duration;
  Counter* rows;
  Histogram* batch_rows;
};

class PrometheusExporter : public MetricsExporter {
 public:
  explicit PrometheusExporter(const std::string& version)
      : requests_(prometheus::BuildCounter()
                      .Name("sigserve_requests_total")
                      .Help("Requests answered, by gRPC code; model is empty for models that do "
                            "not exist.")
                      .Register(registry_)),
        durations_(prometheus::BuildHistogram()
                       .Name("sigserve_request_duration_seconds")
                       .Help("Time from a request's arrival to its answer, of all codes.")
                       .Register(registry_)),
        rows_(prometheus::BuildCounter()
                  .Name("sigserve_rows_total")
                  .Help("Rows answered successfully.")
                  .Register(registry_)),
        batch_rows_(prometheus::BuildHistogram()
                        .Name("sigserve_batch_rows")
                        .Help("Rows of the batch that ran each successful request.")
                        .Register(registry_)),
        batches_(
            prometheus::BuildCounter()
                .Name("sigserve_batches_total")
                .Help("Batches run, by the reason that started them: drained (on an I/O thread, "
                      "all requests that had arrived), worker_free (on a compute thread, all "
                      "that waited), full, deadline (a larger batch would have missed one), "
                      "split (part of a large request), retry (one request of a batch that "
                      "failed).")
                .Register(registry_)),
        refusals_(
            prometheus::BuildCounter()
                .Name("sigserve_refusals_total")
                .Help("Requests refused before they ran, by reason: cannot_finish (before the "
                      "deadline), overload (requests wait too long), queue_full, pushed_out (by "
                      "requests of other models), waited (longer than the model's config allows), "
                      "closed (the server stops).")
                .Register(registry_)),
        in_flight_(prometheus::BuildGauge()
                       .Name("sigserve_requests_in_flight")
                       .Help("Requests, including stream messages, that are not answered yet.")
                       .Register(registry_)),
        queue_rows_(prometheus::BuildGauge()
                        .Name("sigserve_queue_rows")
                        .Help("Rows that wait for a compute thread.")
                        .Register(registry_)),
        queue_seconds_(prometheus::BuildGauge()
                           .Name("sigserve_queue_seconds")
                           .Help("Estimated time to run the rows that wait.")
                           .Register(registry_)),
        models_(&registry_),
        process_(&registry_) {
    prometheus::BuildGauge()
        .Name("sigserve_build_info")
        .Help("Always 1; the labels describe the build.")
        .Register(registry_)
        .Add({{"version", version}, {"compiler", kCompiler}})
        .Set(1);
  }

  void RecordAll(absl::Span<const RequestRecord> records) override ABSL_LOCKS_EXCLUDED(mutex_) {
    ForEachSeries(records,
                  [this](absl::Span<const RequestRecord> series) { RecordSeries(series); });
  }

  void RecordBatch(absl::string_view model, absl::string_view reason) override
      ABSL_LOCKS_EXCLUDED(mutex_) {
    BatchCounterFor(model, reason)->Increment();
  }

  void RecordRefusal(absl::string_view model, absl::string_view reason) override {
    refusals_.Add({{"model", std::string(model)}, {"reason", std::string(reason)}}).Increment();
  }

  void ShowModels(ModelMetrics::Read read) override { models_.Show(std::move(read)); }

  void CountLoadFailure(const std::string& model) override { models_.CountLoadFailure(model); }

  void ShowLoad(std::function<ServerLoad()> read) override ABSL_LOCKS_EXCLUDED(load_mutex_) {
    absl::MutexLock lock(&load_mutex_);
    read_load_ = std::move(read);
  }

  std::string Serialize() const override ABSL_LOCKS_EXCLUDED(load_mutex_) {
    process_.Update();
    models_.Update();
    UpdateLoad();
    return prometheus::TextSerializer().prometheus::Serializer::Serialize(registry_.Collect());
  }

 private:
  void RecordSeries(absl::Span<const RequestRecord> series) ABSL_LOCKS_EXCLUDED(mutex_) {
    const RequestRecord& first = series[0];
    const VersionKey key{first.model, first.version};
    CounterFor(key, first.method, first.code)->Increment(static_cast<double>(series.size()));
    const VersionMetrics metrics = MetricsFor(key);
    ObserveAll(metrics.duration, DurationBuckets(), series,
               [](const RequestRecord& record) { return absl::ToDoubleSeconds(record.total); });
    if (first.code != absl::StatusCode::kOk) return;
    int64_t rows = 0;
    for (const RequestRecord& record : series) rows += record.rows;
    metrics.rows->Increment(static_cast<double>(rows));
    ObserveAll(metrics.batch_rows, RowBuckets(), series,
               [](const RequestRecord& record) { return static_cast<double>(record.batch_rows); });
  }

  /// One lock for all of them.
  template <typename Value>
  void ObserveAll(Histogram* histogram, const Histogram::BucketBoundaries& bounds,
                  absl::Span<const RequestRecord> series, Value value)
      ABSL_LOCKS_EXCLUDED(increments_mutex_) {
    if (series.size() == 1) return histogram->Observe(value(series[0]));
    absl::MutexLock lock(&increments_mutex_);
    increments_.assign(bounds.size() + 1, 0);
    double sum = 0;
    for (const RequestRecord& record : series) {
      const double v = value(record);
      const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), v) - bounds.begin();
      increments_[static_cast<size_t>(bucket)] += 1;
      sum += v;
    }
    histogram->ObserveMultiple(increments_, sum);
  }

  void UpdateLoad() const ABSL_LOCKS_EXCLUDED(load_mutex_) {
    absl::MutexLock lock(&load_mutex_);
    if (!read_load_) return;
    const ServerLoad load = read_load_();
    in_flight_.Add({}).Set(static_cast<double>(load.requests_in_flight));
    for (auto& [model, queue] : queues_) queue = {};
    for (const ServerLoad::Queue& queue : load.queues) {
      queues_[queue.model].rows += queue.rows;
      queues_[queue.model].time += queue.time;
    }
    for (const auto& [model, queue] : queues_) {
      queue_rows_.Add({{"model", model}}).Set(static_cast<double>(queue.rows));
      queue_seconds_.Add({{"model", model}}).Set(absl::ToDoubleSeconds(queue.time));
    }
  }

  // The maps own their strings; requests look them up by views.
  using VersionKey = std::pair<absl::string_view, int64_t>;
  using CounterKey = std::tuple<absl::string_view, int64_t, absl::string_view, absl::StatusCode>;
  struct OwnedVersionKey {
    std::string model;
    int64_t version;
    operator VersionKey() const { return {model, version}; }  // NOLINT(google-explicit-constructor)
  };
  using BatchKey = std::pair<absl::string_view, absl::string_view>;
  struct OwnedBatchKey {
    std::string model;
    std::string reason;
    operator BatchKey() const { return {model, reason}; }  // NOLINT(google-explicit-constructor)
  };
  struct OwnedCounterKey {
    std::string model;
    int64_t version;
    std::string method;
    absl::StatusCode code;
    operator CounterKey() const {  // NOLINT(google-explicit-constructor)
      return {model, version, method, code};
    }
  };
  template <typename View>
  struct HashView {
    using is_transparent = void;
    size_t operator()(const View& key) const { return absl::Hash<View>()(key); }
  };
  template <typename View>
  struct EqualView {
    using is_transparent = void;
    bool operator()(const View& a, const View& b) const { return a == b; }
  };

  Counter* CounterFor(const VersionKey& key, absl::string_view method, absl::StatusCode code)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const CounterKey counter_key{key.first, key.second, method, code};
    {
      absl::ReaderMutexLock lock(&mutex_);
      const auto it = counters_.find(counter_key);
      if (it != counters_.end()) return it->second;
    }
    absl::MutexLock lock(&mutex_);
    prometheus::Labels labels = VersionLabels(key);
    labels["method"] = std::string(method);
    labels["code"] = absl::StatusCodeToString(code);
    Counter* counter = &requests_.Add(labels);  // the same one if another thread was quicker
    counters_.insert(
        {OwnedCounterKey{std::string(key.first), key.second, std::string(method), code}, counter});
    return counter;
  }

  Counter* BatchCounterFor(absl::string_view model, absl::string_view reason)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::ReaderMutexLock lock(&mutex_);
      const auto it = batch_counters_.find(BatchKey{model, reason});
      if (it != batch_counters_.end()) return it->second;
    }
    absl::MutexLock lock(&mutex_);
    Counter* counter =
        &batches_.Add({{"model", std::string(model)}, {"reason", std::string(reason)}});
    batch_counters_.insert({OwnedBatchKey{std::string(model), std::string(reason)}, counter});
    return counter;
  }

  VersionMetrics MetricsFor(const VersionKey& key) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::ReaderMutexLock lock(&mutex_);
      const auto it = versions_.find(key);
      if (it != versions_.end()) return it->second;
    }
    absl::MutexLock lock(&mutex_);
    const prometheus::Labels labels = VersionLabels(key);
    const VersionMetrics metrics{&durations_.Add(labels, DurationBuckets()), &rows_.Add(labels),
                                 &batch_rows_.Add(labels, RowBuckets())};
    versions_.insert({OwnedVersionKey{std::string(key.first), key.second}, metrics});
    return metrics;
  }

  static prometheus::Labels VersionLabels(const VersionKey& key) {
    return {{"model", std::string(key.first)},
            {"version", key.second == 0 ? "" : absl::StrCat(key.second)}};
  }

  prometheus::Registry registry_;  // owns all below
  Family<Counter>& requests_;
  Family<Histogram>& durations_;
  Family<Counter>& rows_;
  Family<Histogram>& batch_rows_;
  Family<Counter>& batches_;
  Family<Counter>& refusals_;
  Family<Gauge>& in_flight_;
  Family<Gauge>& queue_rows_;
  Family<Gauge>& queue_seconds_;
  mutable ModelMetrics models_;
  mutable ProcessStats process_;

  mutable absl::Mutex load_mutex_;
  std::function<ServerLoad()> read_load_ ABSL_GUARDED_BY(load_mutex_);
  mutable std::map<std::string, ServerLoad::Queue> queues_ ABSL_GUARDED_BY(load_mutex_);

  absl::Mutex increments_mutex_;
  std::vector<double> increments_ ABSL_GUARDED_BY(increments_mutex_);  // keeps its memory

  absl::Mutex mutex_;
  absl::flat_hash_map<OwnedCounterKey, Counter*, HashView<CounterKey>, EqualView<CounterKey>>
      counters_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<OwnedVersionKey, VersionMetrics, HashView<VersionKey>, EqualView<VersionKey>>
      versions_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<OwnedBatchKey, Counter*, HashView<BatchKey>, EqualView<BatchKey>>
      batch_counters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<MetricsExporter> MetricsExporter::Create(const std::string& version) {
  return std::make_unique<PrometheusExporter>(version);
}

}  // namespace sigserve
