#include "client/cli/labels.h"

#include "absl/strings/match.h"
#include "client/cli/input_data.h"

namespace sigserve::cli {

std::optional<bool> ParseBinaryLabel(absl::string_view text) {
  double number = 0;
  if (ParseNumber(text, &number)) {
    if (number != 0 && number != 1) return std::nullopt;
    return number == 1;
  }
  if (absl::EqualsIgnoreCase(text, "true") || absl::EqualsIgnoreCase(text, "yes")) return true;
  if (absl::EqualsIgnoreCase(text, "false") || absl::EqualsIgnoreCase(text, "no")) return false;
  return std::nullopt;
}

}  // namespace sigserve::cli
