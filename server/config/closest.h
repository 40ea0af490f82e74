// "Did you mean": finds the known word that a misspelt one resembles.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sigserve {

/// The candidate with the smallest edit distance to `word`; empty if none is close. '-' and '_'
/// count as equal.
std::string Closest(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace sigserve
