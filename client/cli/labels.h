// True labels in a user's file: text that means yes or no.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"

namespace sigserve::cli {

/// 1/0 (as any decimal number), true/false, yes/no in any case; nothing for other text.
std::optional<bool> ParseBinaryLabel(absl::string_view text);

/// What ParseBinaryLabel takes, for messages.
inline constexpr char kBinaryLabels[] = "1 or 0, true or false, yes or no";

}  // namespace sigserve::cli
