#include "server/metrics/statistics.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace sigserve {
namespace {

void Add(std::atomic<int64_t>& counter, int64_t by) {
  counter.fetch_add(by, std::memory_order_relaxed);
}
void Add(std::atomic<double>& counter, double by) {
  counter.fetch_add(by, std::memory_order_relaxed);
}
void Add(std::atomic<int64_t>& counter, absl::Duration by) {
  Add(counter, absl::ToInt64Nanoseconds(by));
}

}  // namespace

StatisticsRecorder::StatisticsRecorder(RequestRecorder* next, const Clock* clock)
    : next_(next), clock_(clock) {}

void StatisticsRecorder::RecordAll(absl::Span<const RequestRecord> records) {
  ForEachSeries(records, [this](absl::Span<const RequestRecord> series) {
    if (!series[0].model.empty()) RecordSeries(series);
  });
  next_->RecordAll(records);
}

void StatisticsRecorder::RecordSeries(absl::Span<const RequestRecord> series) {
  absl::Duration total, queued, computed;
  int64_t rows = 0;
  double batches = 0;
  for (const RequestRecord& record : series) {
    total += record.total;
    queued += record.queued;
    computed += record.computed;
    rows += record.rows;
    batches += static_cast<double>(record.rows) /
               static_cast<double>(std::max<int64_t>({1, record.rows, record.batch_rows}));
  }
  const auto count = static_cast<int64_t>(series.size());
  Counters& counters = CountersOf(series[0].model, series[0].version);
  counters.last_inference_ns.store(absl::ToUnixNanos(clock_->Now()), std::memory_order_relaxed);
  if (series[0].code == absl::StatusCode::kOk) {
    Add(counters.successes, count);
    Add(counters.success_ns, total);
    Add(counters.queued_ns, queued);
    Add(counters.computed_ns, computed);
    Add(counters.rows, rows);
    Add(counters.batches, batches);
  } else {
    Add(counters.failures, count);
    Add(counters.failure_ns, total);
  }
}

StatisticsRecorder::Counters& StatisticsRecorder::CountersOf(absl::string_view model,
                                                             int64_t version) {
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = models_.find(model);
    if (found != models_.end()) {
      const auto counters = found->second.find(version);
      if (counters != found->second.end()) return *counters->second;
    }
  }
  absl::MutexLock lock(&mutex_);
  std::unique_ptr<Counters>& counters = models_[model][version];
  if (counters == nullptr) counters = std::make_unique<Counters>();
  return *counters;
}

std::vector<VersionStatistics> StatisticsRecorder::Get(absl::string_view model) const {
  std::vector<VersionStatistics> all;
  {
    absl::ReaderMutexLock lock(&mutex_);
    for (const auto& [name, versions] : models_) {
      if (!model.empty() && name != model) continue;
      for (const auto& [version, from] : versions) {
        VersionStatistics to;
        to.model = name;
        to.version = version;
        to.last_inference = absl::FromUnixNanos(from->last_inference_ns);
        to.successes = from->successes;
        to.failures = from->failures;
        to.rows = from->rows;
        to.batches = std::llround(from->batches);
        to.success_time = absl::Nanoseconds(from->success_ns.load());
        to.failure_time = absl::Nanoseconds(from->failure_ns.load());
        to.queued = absl::Nanoseconds(from->queued_ns.load());
        to.computed = absl::Nanoseconds(from->computed_ns.load());
        all.push_back(std::move(to));
      }
    }
  }
  std::sort(all.begin(), all.end(), [](const VersionStatistics& a, const VersionStatistics& b) {
    return std::tie(a.model, a.version) < std::tie(b.model, b.version);
  });
  return all;
}

}  // namespace sigserve
