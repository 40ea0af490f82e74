// Text in the columns of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sigserve::cli {

/// Columns that the text takes on a terminal, counted as code points.
size_t DisplayWidth(absl::string_view text);

/// Lines of at most `width` columns, broken between words; a longer word has a line of its own.
/// Never empty.
std::vector<std::string> WrapWords(absl::string_view text, size_t width);

}  // namespace sigserve::cli
