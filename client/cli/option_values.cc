#include "client/cli/option_values.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/input_data.h"
#include "client/cli/suggestions.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

absl::Status Expected(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", what));
}

std::vector<std::string> Split(const std::string& text) { return absl::StrSplit(text, ','); }

/// Whole numbers without an exponent: StrCat would write 1e+06.
std::string Plain(double value) {
  const auto whole = static_cast<int64_t>(value);
  return static_cast<double>(whole) == value ? absl::StrCat(whole) : absl::StrCat(value);
}

std::string Describe(NumberRange range) {
  if (range.min_excluded) return absl::StrCat("a number above ", Plain(range.min));
  if (std::isinf(range.max)) return absl::StrCat("a number of at least ", Plain(range.min));
  return absl::StrCat("a number from ", Plain(range.min), " to ", Plain(range.max));
}

}  // namespace

absl::StatusOr<int64_t> ReadInteger(const std::string& text, int64_t min, int64_t max) {
  int64_t value = 0;
  if (absl::SimpleAtoi(text, &value) && value >= min && value <= max) return value;
  return Expected(max == kAnyLarge ? absl::StrCat("a whole number of at least ", min)
                                   : absl::StrCat("a whole number from ", min, " to ", max));
}

absl::StatusOr<double> ReadNumber(const std::string& text, NumberRange range) {
  double value = 0;
  if (ParseNumber(text, &value) && std::isfinite(value) && value <= range.max &&
      (range.min_excluded ? value > range.min : value >= range.min)) {
    return value;
  }
  return Expected(Describe(range));
}

absl::StatusOr<size_t> ReadChoice(const std::string& text, const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return i;
  }
  const std::vector<std::string> first(names.begin(), names.end() - 1);
  return Expected(
      absl::StrCat(absl::StrJoin(first, ", "), " or ", names.back(), DidYouMean(text, names)));
}

SetValue ToFlag(bool* to) {
  return [to](const std::string&) {
    *to = true;
    return absl::OkStatus();
  };
}

SetValue ToText(std::string* to) {
  return [to](const std::string& text) {
    *to = text;
    return absl::OkStatus();
  };
}

SetValue AddText(std::vector<std::string>* to) {
  return [to](const std::string& text) {
    to->push_back(text);
    return absl::OkStatus();
  };
}

SetValue AddTexts(std::vector<std::string>* to) {
  return [to](const std::string& text) -> absl::Status {
    for (const std::string& part : Split(text)) {
      if (part.empty()) return Expected("values separated by commas");
      to->push_back(part);
    }
    return absl::OkStatus();
  };
}

SetValue AddIntegers(std::vector<int64_t>* to, int64_t min, int64_t max) {
  return [to, min, max](const std::string& text) -> absl::Status {
    for (const std::string& part : Split(text)) {
      CLIENT_ASSIGN_OR_RETURN(to->emplace_back(), ReadInteger(part, min, max));
    }
    return absl::OkStatus();
  };
}

SetValue AddNumbers(std::vector<double>* to, NumberRange range) {
  return [to, range](const std::string& text) -> absl::Status {
    for (const std::string& part : Split(text)) {
      CLIENT_ASSIGN_OR_RETURN(to->emplace_back(), ReadNumber(part, range));
    }
    return absl::OkStatus();
  };
}

SetValue ToUnsigned(uint64_t* to) {
  return [to](const std::string& text) {
    return absl::SimpleAtoi(text, to) ? absl::OkStatus() : Expected("a whole number of at least 0");
  };
}

}  // namespace sigserve::cli
