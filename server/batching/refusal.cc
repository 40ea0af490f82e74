#include "server/batching/refusal.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

constexpr char kPayload[] = "sigserve.retry_after_ms";
constexpr absl::Duration kShortest = absl::Milliseconds(1);
constexpr absl::Duration kLongest = absl::Seconds(10);

}  // namespace

absl::string_view Name(DropReason reason) {
  switch (reason) {
    case DropReason::kCancelled:
      return "cancelled";
    case DropReason::kExpired:
      return "expired";
    case DropReason::kCannotFinish:
      return "cannot_finish";
    case DropReason::kOverload:
      return "overload";
    case DropReason::kQueueFull:
      return "queue_full";
    case DropReason::kPushedOut:
      return "pushed_out";
    case DropReason::kWaited:
      return "waited";
    case DropReason::kClosed:
      return "closed";
  }
  return "unknown";
}

bool IsRefusal(DropReason reason) {
  return reason != DropReason::kCancelled && reason != DropReason::kExpired;
}

absl::Status Refusal(absl::string_view message, absl::Duration retry_after) {
  absl::Status status = absl::ResourceExhaustedError(message);
  const absl::Duration delay = std::clamp(retry_after, kShortest, kLongest);
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(delay))));
  return status;
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  if (status.ok()) return std::nullopt;
  const auto payload = status.GetPayload(kPayload);
  int64_t milliseconds = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &milliseconds)) {
    return std::nullopt;
  }
  return absl::Milliseconds(milliseconds);
}

}  // namespace sigserve
