// Parses Protobuf messages from a request's bytes.
#pragma once

#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sigserve {

/// Parses the concatenated pieces. INVALID_ARGUMENT if they do not encode such a message, or if it
/// contains more than 65,536 strings and messages: parsed, those take many times their bytes, and
/// no real request has as many.
absl::Status ParseMessage(absl::Span<const absl::string_view> pieces,
                          google::protobuf::Message* message);

}  // namespace sigserve
