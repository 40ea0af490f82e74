// How the text of an option becomes a value. Each function returns a SetValue that writes through
// the given pointer, which must outlive the parsing. Errors say what is expected, in plain words.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/options.h"

namespace sigserve::cli {

inline constexpr int64_t kAnyLarge = std::numeric_limits<int64_t>::max();

/// Inclusive bounds; an infinite `max` is left out of the message.
struct NumberRange {
  double min = 0;
  double max = std::numeric_limits<double>::infinity();
  bool min_excluded = false;
};

SetValue ToFlag(bool* to);
SetValue ToText(std::string* to);
/// Adds the text as it is.
SetValue AddText(std::vector<std::string>* to);
/// Adds the comma-separated parts; none may be empty.
SetValue AddTexts(std::vector<std::string>* to);
/// Comma-separated integers.
SetValue AddIntegers(std::vector<int64_t>* to, int64_t min, int64_t max = kAnyLarge);
SetValue AddNumbers(std::vector<double>* to, NumberRange range);
SetValue ToUnsigned(uint64_t* to);

absl::StatusOr<int64_t> ReadInteger(const std::string& text, int64_t min, int64_t max);
absl::StatusOr<double> ReadNumber(const std::string& text, NumberRange range);
/// `names` are shown; the index of the one that equals `text`.
absl::StatusOr<size_t> ReadChoice(const std::string& text, const std::vector<std::string>& names);

/// `T` is an integer type or an optional of one.
template <typename T>
SetValue ToInteger(T* to, int64_t min, int64_t max = kAnyLarge) {
  return [to, min, max](const std::string& text) {
    const auto value = ReadInteger(text, min, max);
    if (value.ok()) *to = *value;
    return value.status();
  };
}

template <typename T>
SetValue ToNumber(T* to, NumberRange range) {
  return [to, range](const std::string& text) {
    const auto value = ReadNumber(text, range);
    if (value.ok()) *to = *value;
    return value.status();
  };
}

template <typename T>
SetValue ToChoice(T* to, const std::vector<std::pair<std::string, T>>& choices) {
  return [to, choices](const std::string& text) {
    std::vector<std::string> names;
    names.reserve(choices.size());
    for (const auto& choice : choices) names.push_back(choice.first);
    const auto chosen = ReadChoice(text, names);
    if (chosen.ok()) *to = choices[*chosen].second;
    return chosen.status();
  };
}

}  // namespace sigserve::cli
