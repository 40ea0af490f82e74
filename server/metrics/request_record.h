// One row per request, and one per batch: what happened, for metrics. Written once, by the end of
// the turn in which the answer went its way.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace sigserve {

struct RequestRecord {
  /// Empty unless the request named a model that exists: names that clients make up must not become
  /// label values.
  absl::string_view model = "";
  int64_t version = 0;
  /// "Predict", "PredictStream", "ModelInfer", "ModelStreamInfer".
  absl::string_view method = "";
  absl::StatusCode code = absl::StatusCode::kOk;
  int64_t rows = 0;
  /// Rows of the batch it travelled in, its own included.
  int64_t batch_rows = 0;
  absl::Duration queued = absl::ZeroDuration();
  absl::Duration computed = absl::ZeroDuration();
  /// From the request's arrival in our code to its answer.
  absl::Duration total = absl::ZeroDuration();
};

/// Whether both add to the same counters.
inline bool SameSeries(const RequestRecord& a, const RequestRecord& b) {
  return a.version == b.version && a.code == b.code && a.model == b.model && a.method == b.method;
}

/// Calls `handle` with each run of neighbours of the same series.
template <typename Handle>
void ForEachSeries(absl::Span<const RequestRecord> records, Handle handle) {
  for (size_t begin = 0; begin < records.size();) {
    size_t end = begin + 1;
    while (end < records.size() && SameSeries(records[begin], records[end])) ++end;
    handle(records.subspan(begin, end - begin));
    begin = end;
  }
}

/// Where records go. Thread-safe; called on the request path, so implementations are quick.
class RequestRecorder {
 public:
  virtual ~RequestRecorder() = default;
  /// Cheapest where neighbours are of the same model, version, method and code.
  virtual void RecordAll(absl::Span<const RequestRecord> records) = 0;
  void Record(const RequestRecord& record) { RecordAll(absl::MakeConstSpan(&record, 1)); }
  /// A batch of `model` was run; `reason`: a literal that says why it was run when it was.
  virtual void RecordBatch(absl::string_view model, absl::string_view reason) = 0;
  /// A request of `model` was refused by a full or slow queue; `reason`: a literal.
  virtual void RecordRefusal(absl::string_view /*model*/, absl::string_view /*reason*/) {}
};

}  // namespace sigserve
