// Refusals for want of room or time: RESOURCE_EXHAUSTED that carries when to try again, from
// whoever refuses to whoever answers.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sigserve {

/// RESOURCE_EXHAUSTED; `retry_after` is held to 1 ms to 10 s.
absl::Status Refusal(absl::string_view message, absl::Duration retry_after);

/// When a refused caller may try again; nothing for any other status.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace sigserve
