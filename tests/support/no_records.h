// Discards every record.
#pragma once

#include "server/metrics/request_record.h"

namespace sigserve::testing_support {

class NoRecords final : public RequestRecorder {
 public:
  void RecordAll(absl::Span<const RequestRecord> /*records*/) override {}
  void RecordBatch(absl::string_view /*model*/, absl::string_view /*reason*/) override {}
};

}  // namespace sigserve::testing_support
