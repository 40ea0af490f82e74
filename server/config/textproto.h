// Protobuf's text format with errors a reader can act on: "config.pbtxt:3:5: Message type
// "inference.ModelConfig" has no field named "inputs"." Used for config.pbtxt and for --config.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Message;
}

namespace sigserve {

/// Parses `text` into `message`. INVALID_ARGUMENT gives every problem (unknown field, bad value,
/// field given twice) as `file`:line:column, at most five of them, or says where the text or a
/// string that it spells with escapes is not UTF-8. A byte order mark is skipped. Nesting is
/// limited to 32.
absl::Status ParseTextProto(absl::string_view text, absl::string_view file,
                            google::protobuf::Message* message);

}  // namespace sigserve
