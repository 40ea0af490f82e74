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

void StatisticsRecorder::Counters::Add(absl::Span<const RequestRecord> run, absl::Time now) {
  absl::Duration total, queue_time, compute_time;
  int64_t row_count = 0;
  double batch_share = 0;
  for (const RequestRecord& record : run) {
    total += record.total;
    queue_time += record.queued;
    compute_time += record.computed;
    row_count += record.rows;
    batch_share += static_cast<double>(record.rows) /
                   static_cast<double>(std::max<int64_t>({1, record.rows, record.batch_rows}));
  }
  const auto count = static_cast<int64_t>(run.size());
  last_inference_ns.store(absl::ToUnixNanos(now), std::memory_order_relaxed);
  if (run[0].code == absl::StatusCode::kOk) {
    sigserve::Add(successes, count);
    sigserve::Add(success_ns, total);
    sigserve::Add(queued_ns, queue_time);
    sigserve::Add(computed_ns, compute_time);
    sigserve::Add(rows, row_count);
    sigserve::Add(batches, batch_share);
  } else {
    sigserve::Add(failures, count);
    sigserve::Add(failure_ns, total);
  }
}

VersionStatistics StatisticsRecorder::Counters::Read() const {
  VersionStatistics to;
  to.last_inference = absl::FromUnixNanos(last_inference_ns);
  to.successes = successes;
  to.failures = failures;
  to.rows = rows;
  to.batches = std::llround(batches);
  to.success_time = absl::Nanoseconds(success_ns.load());
  to.failure_time = absl::Nanoseconds(failure_ns.load());
  to.queued = absl::Nanoseconds(queued_ns.load());
  to.computed = absl::Nanoseconds(computed_ns.load());
  return to;
}

void StatisticsRecorder::RecordAll(absl::Span<const RequestRecord> records) {
  ForEachSeries(records, [this](absl::Span<const RequestRecord> run) {
    Version& version = Find({run[0].model, run[0].version});
    version.counters.Add(run, clock_->Now());
    version.series->Record(run);
  });
}

StatisticsRecorder::Version& StatisticsRecorder::Find(const Key& key) {
  {
    absl::ReaderMutexLock lock(&mutex_);
    const auto found = versions_.find(key);
    if (found != versions_.end()) return *found->second;
  }
  absl::MutexLock lock(&mutex_);
  std::unique_ptr<Version>& version = versions_[OwnedKey{std::string(key.first), key.second}];
  if (version == nullptr) {
    version = std::make_unique<Version>();
    version->series = exporter_->OpenVersion(key.first, key.second);
  }
  return *version;
}

std::vector<VersionStatistics> StatisticsRecorder::Get(absl::string_view model) const {
  std::vector<VersionStatistics> all;
  {
    absl::ReaderMutexLock lock(&mutex_);
    for (const auto& [key, version] : versions_) {
      if (key.model.empty() || (!model.empty() && key.model != model)) continue;
      all.push_back(version->counters.Read());
      all.back().model = key.model;
      all.back().version = key.version;
    }
  }
  std::sort(all.begin(), all.end(), [](const VersionStatistics& a, const VersionStatistics& b) {
    return std::tie(a.model, a.version) < std::tie(b.model, b.version);
  });
  return all;
}

}  // namespace sigserve
