#include "server/metrics/exporter.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/metrics/process_stats.h"
#include "server/metrics/prometheus_version.h"

namespace sigserve {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

#if defined(__clang__)
constexpr char kCompiler[] = "clang " __clang_version__;
#else
constexpr char kCompiler[] = "gcc " __VERSION__;
#endif

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

  std::unique_ptr<VersionSeries> OpenVersion(absl::string_view model, int64_t version) override {
    const prometheus::Labels labels = {{"model", std::string(model)},
                                       {"version", version == 0 ? "" : absl::StrCat(version)}};
    return std::make_unique<PrometheusVersion>(
        VersionFamilies{requests_, durations_, rows_, batch_rows_}, labels);
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

  // The map owns its strings; batches look them up by views.
  using BatchKey = std::pair<absl::string_view, absl::string_view>;
  struct OwnedBatchKey {
    std::string model;
    std::string reason;
    operator BatchKey() const { return {model, reason}; }  // NOLINT(google-explicit-constructor)
  };
  struct HashBatch {
    using is_transparent = void;
    size_t operator()(const BatchKey& key) const { return absl::Hash<BatchKey>()(key); }
  };
  struct EqualBatch {
    using is_transparent = void;
    bool operator()(const BatchKey& a, const BatchKey& b) const { return a == b; }
  };

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

  absl::Mutex mutex_;
  absl::flat_hash_map<OwnedBatchKey, Counter*, HashBatch, EqualBatch> batch_counters_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<MetricsExporter> MetricsExporter::Create(const std::string& version) {
  return std::make_unique<PrometheusExporter>(version);
}

}  // namespace sigserve
