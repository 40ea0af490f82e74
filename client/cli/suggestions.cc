#include "client/cli/suggestions.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sigserve::cli {
namespace {

/// Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions
/// and swaps of neighbours.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> distance(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) distance[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) distance[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = distance[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      distance[i][j] = std::min({distance[i - 1][j] + 1, distance[i][j - 1] + 1, substituted});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        distance[i][j] = std::min(distance[i][j], distance[i - 2][j - 2] + 1);
      }
    }
  }
  return distance[a.size()][b.size()];
}

}  // namespace

std::string DidYouMean(absl::string_view typed, const std::vector<std::string>& known) {
  constexpr size_t kMaxLength = 64;  // the distance takes quadratic time
  if (typed.size() > kMaxLength) return "";
  const std::string* closest = nullptr;
  size_t least = 0;
  for (const std::string& name : known) {
    const size_t distance = EditDistance(typed, name);
    if (distance * 3 > std::max(typed.size(), name.size())) continue;
    if (closest == nullptr || distance < least) {
      closest = &name;
      least = distance;
    }
  }
  return closest == nullptr ? "" : absl::StrCat("; did you mean ", *closest, "?");
}

}  // namespace sigserve::cli
