// Errors at the wire. Messages over kMaxMessageBytes are cut (a client's own name in an error must
// not outgrow the trailers that carry it), never inside a UTF-8 character.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sigserve {

inline constexpr size_t kMaxMessageBytes = 2048;

/// The status's message as the wire carries it: valid UTF-8, other bytes as \xNN.
std::string WireMessage(const absl::Status& status);
/// The status with that message.
absl::Status WireStatus(const absl::Status& status);

/// A client's name as errors show it: 'name', control characters escaped, cut after 64 bytes.
std::string Quote(absl::string_view name);

}  // namespace sigserve
