// Protobuf messages from a request's bytes.
#pragma once

#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sigserve {

/// INVALID_ARGUMENT when the bytes are no such message, or one of more strings and messages within
/// it than any request of ours has (65,536): parsed, those take many times their bytes.
absl::Status ParseMessage(absl::Span<const absl::string_view> pieces,
                          google::protobuf::Message* message);

}  // namespace sigserve
