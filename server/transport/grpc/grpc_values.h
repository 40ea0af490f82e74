// Our values as gRPC's, and the reverse. Internal to the engine.
#pragma once

#include <grpc/support/time.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "model/base/monotonic_time.h"

namespace sigserve {

grpc::Status GrpcStatus(const absl::Status& status);

/// gRPC's deadline on Clock::Monotonic; infinite if there is none.
MonotonicTime MonotonicDeadline(gpr_timespec deadline);

/// A message's bytes as pieces that live as long as this object, not copied.
class MessageBytes {
 public:
  void Take(grpc::ByteBuffer* buffer);
  absl::Span<const absl::string_view> pieces() const { return views_; }
  void Clear() {
    slices_.clear();
    views_.clear();
  }

 private:
  std::vector<grpc::Slice> slices_;
  std::vector<absl::string_view> views_;
};

}  // namespace sigserve
