// The exporter's side of request records: one object per model version with all its time series,
// so that a record needs one lookup. StatisticsRecorder owns the objects.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "server/metrics/request_record.h"

namespace sigserve {

/// The exported time series of one model version. Thread-safe.
class VersionSeries {
 public:
  virtual ~VersionSeries() = default;
  /// `run`: at least one record; all of this version and of the same method and code.
  virtual void Record(absl::Span<const RequestRecord> run) = 0;
};

/// Where request metrics are exported. Thread-safe.
class RequestExporter {
 public:
  virtual ~RequestExporter() = default;
  /// Valid while the exporter lives. Two objects of one version add to the same series.
  virtual std::unique_ptr<VersionSeries> OpenVersion(absl::string_view model, int64_t version) = 0;
  /// As RequestRecorder's.
  virtual void RecordBatch(absl::string_view model, absl::string_view reason) = 0;
  virtual void RecordRefusal(absl::string_view model, absl::string_view reason) = 0;
};

}  // namespace sigserve
