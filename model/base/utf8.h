// UTF-8 text. Protobuf strings and JSON carry valid UTF-8 only, while file names, labels and
// configs come in any encoding. Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sigserve {

/// Bytes of the longest valid prefix; the whole size for valid text.
size_t ValidUtf8Prefix(absl::string_view text);

bool IsValidUtf8(absl::string_view text);

/// `text` with every invalid byte written as \xNN; valid text is returned unchanged.
std::string EscapeInvalidUtf8(absl::string_view text);

/// At most `limit` bytes, cut before the character that crosses the limit.
absl::string_view CutUtf8(absl::string_view text, size_t limit);

}  // namespace sigserve
