#include "server/transport/grpc/grpc_values.h"

#include <string>

namespace sigserve {

grpc::Status GrpcStatus(const absl::Status& status) {
  // The codes have the same numbers.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

MonotonicTime MonotonicDeadline(gpr_timespec deadline) {
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
    return MonotonicTime::InfiniteFuture();
  }
  const gpr_timespec t = gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC);
  return MonotonicTime::AfterStart(absl::Seconds(t.tv_sec) + absl::Nanoseconds(t.tv_nsec));
}

void MessageBytes::Take(grpc::ByteBuffer* buffer) {
  slices_.resize(1);
  if (!buffer->TrySingleSlice(slices_.data()).ok()) {
    slices_.clear();
    // Dump() fails only if gRPC cannot decompress the message. The byte 0xFF then stands for it: no
    // Protobuf message starts so, and the call is refused.
    if (!buffer->Dump(&slices_).ok()) slices_.assign(1, grpc::Slice("\xFF"));
  }
  buffer->Clear();
  views_.clear();
  for (const grpc::Slice& slice : slices_) {
    views_.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
}

}  // namespace sigserve
