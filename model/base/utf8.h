// UTF-8 text. Protobuf strings and JSON carry valid UTF-8 only, while file names, labels and
// configs come in any encoding. Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sigserve {

/// Bytes of the longest valid prefix; the whole size for valid text.
size_t ValidUtf8Prefix(absl::string_view text);

bool IsValidUtf8(absl::string_view text);

/// `text` with every invalid byte written as \xNN; valid text is returned unchanged.
std::string EscapeInvalidUtf8(absl::string_view text);

/// `text` without the UTF-8 byte order mark that some editors put in front of it.
absl::string_view WithoutByteOrderMark(absl::string_view text);

/// Whether a text file's contents are UTF-8. INVALID_ARGUMENT names the file, the line (from 1) and
/// the first byte that is not, and says how to convert the file.
absl::Status CheckUtf8File(absl::string_view contents, absl::string_view file);

/// At most `limit` bytes, cut before the character that crosses the limit.
absl::string_view CutUtf8(absl::string_view text, size_t limit);

}  // namespace sigserve
