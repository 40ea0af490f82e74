// What the request path reports to metrics: a record per request, an event per batch and per
// refusal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace sigserve {

/// The prediction methods; values index arrays.
enum class PredictMethod { kModelInfer, kModelStreamInfer, kPredict, kPredictStream };
inline constexpr size_t kPredictMethods = 4;
/// "ModelInfer", ...
absl::string_view Name(PredictMethod method);

struct RequestRecord {
  /// Empty unless the request named an existing model: names that clients make up must not become
  /// label values.
  absl::string_view model = "";
  int64_t version = 0;
  PredictMethod method = PredictMethod::kPredict;
  absl::StatusCode code = absl::StatusCode::kOk;
  int64_t rows = 0;
  /// Rows of the batch that ran the request, its own included.
  int64_t batch_rows = 0;
  absl::Duration queued = absl::ZeroDuration();
  absl::Duration computed = absl::ZeroDuration();
  /// From the request's arrival in our code to its answer.
  absl::Duration total = absl::ZeroDuration();
};

/// Whether both records add to the same counters.
inline bool SameSeries(const RequestRecord& a, const RequestRecord& b) {
  return a.version == b.version && a.code == b.code && a.method == b.method && a.model == b.model;
}

/// Calls `handle` with each run of consecutive records of the same series.
template <typename Handle>
void ForEachSeries(absl::Span<const RequestRecord> records, Handle handle) {
  for (size_t begin = 0; begin < records.size();) {
    size_t end = begin + 1;
    while (end < records.size() && SameSeries(records[begin], records[end])) ++end;
    handle(records.subspan(begin, end - begin));
    begin = end;
  }
}

/// Receives records. Thread-safe; called on the request path, so implementations are fast.
class RequestRecorder {
 public:
  virtual ~RequestRecorder() = default;
  /// Cheapest if consecutive records have the same model, version, method and code. The records'
  /// views are valid during the call only.
  virtual void RecordAll(absl::Span<const RequestRecord> records) = 0;
  void Record(const RequestRecord& record) { RecordAll(absl::MakeConstSpan(&record, 1)); }
  /// A batch of `model` ran; `reason`: a literal that says why it was dispatched.
  virtual void RecordBatch(absl::string_view model, absl::string_view reason) = 0;
  /// A queue refused a request of `model`; `reason`: a literal.
  virtual void RecordRefusal(absl::string_view /*model*/, absl::string_view /*reason*/) {}
};

}  // namespace sigserve
