// "Did you mean ...?" for mistyped names.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sigserve::cli {

/// "; did you mean --input?" with the known name closest to `typed` by Damerau-Levenshtein
/// distance; empty if no name is close (more than a third of its letters differ).
std::string DidYouMean(absl::string_view typed, const std::vector<std::string>& known);

}  // namespace sigserve::cli
