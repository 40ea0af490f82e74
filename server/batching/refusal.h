// Why a task is not run. Refusals for lack of room or time are RESOURCE_EXHAUSTED and carry the
// time after which to retry, from the scheduler to the code that answers.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sigserve {

enum class DropReason {
  kCancelled,     // its caller has gone
  kExpired,       // its deadline passed while it waited
  kCannotFinish,  // it could not be done before its deadline
  kOverload,      // requests have waited too long for some time, and it would, too
  kQueueFull,
  kPushedOut,  // by requests of models that have less than their share of the queues' bytes
  kWaited,     // longer than the model's config allows
  kClosed,     // the server stops
};
absl::string_view Name(DropReason reason);
/// Refused for want of room or time, rather than given up by its caller.
bool IsRefusal(DropReason reason);

/// RESOURCE_EXHAUSTED; `retry_after` is held to 1 ms to 10 s.
absl::Status Refusal(absl::string_view message, absl::Duration retry_after);

/// When a refused caller may try again; nothing for any other status.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace sigserve
