// Text from files and servers is bytes; these decide whether it is UTF-8.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sigserve::cli {

/// Length of the valid UTF-8 sequence that `text` begins with: 1 to 4; 0 if there is none.
/// Overlong forms, surrogates and code points above U+10FFFF are invalid.
size_t Utf8Length(absl::string_view text);

bool IsUtf8(absl::string_view text);

/// UTF-16 text as UTF-8; lone surrogates become U+FFFD. `text` holds no byte-order mark.
std::string Utf16ToUtf8(absl::string_view text, bool big_endian);

}  // namespace sigserve::cli
