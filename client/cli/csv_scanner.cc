#include "client/cli/csv_scanner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/status_macros.h"

namespace sigserve::cli {

char FindSeparator(absl::string_view text) {
  constexpr char kSeparators[] = {',', ';', '\t'};
  size_t counts[3] = {};
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n') break;
    for (size_t i = 0; i < 3; ++i) counts[i] += c == kSeparators[i] ? 1 : 0;
  }
  return kSeparators[std::max_element(counts, counts + 3) - counts];
}

std::string SeparatorName(char separator) {
  return separator == '\t' ? "a tab" : absl::StrCat("'", std::string(1, separator), "'");
}

CsvScanner::CsvScanner(absl::string_view text, char separator, std::string source)
    : text_(text), separator_(separator), source_(std::move(source)) {}

absl::StatusOr<bool> CsvScanner::Next(std::vector<std::string>* fields) {
  while (SkipLineEnd()) {
  }
  if (at_ == text_.size()) return false;
  record_line_ = line_;
  fields->clear();
  for (;;) {
    CLIENT_ASSIGN_OR_RETURN(std::string field, Field(fields->size() + 1));
    fields->push_back(std::move(field));
    if (at_ == text_.size() || SkipLineEnd()) return true;
    ++at_;  // the separator
  }
}

bool CsvScanner::SkipLineEnd() {
  if (text_.substr(at_, 2) == "\r\n") ++at_;
  if (at_ == text_.size() || text_[at_] != '\n') return false;
  ++at_;
  ++line_;
  return true;
}

absl::StatusOr<std::string> CsvScanner::Field(size_t column) {
  if (at_ < text_.size() && text_[at_] == '"') return QuotedField(column);
  const char ends[] = {separator_, '\n', '\0'};
  const size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
  absl::string_view field = text_.substr(at_, end - at_);
  at_ = end;
  if (end < text_.size() && text_[end] == '\n' && absl::EndsWith(field, "\r")) {
    field.remove_suffix(1);
    --at_;
  }
  return std::string(field);
}

absl::StatusOr<std::string> CsvScanner::QuotedField(size_t column) {
  const auto error = [&](int64_t line, absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(source_, ": line ", line, ", column ", column, ": ", what));
  };
  const int64_t opened = line_;
  std::string field;
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '"') {
      if (at_ + 1 == text_.size() || text_[at_ + 1] != '"') break;
      ++at_;
    } else if (text_[at_] == '\n') {
      ++line_;
    }
    field += text_[at_];
  }
  if (at_ == text_.size()) return error(opened, "the quote is never closed");
  ++at_;
  if (at_ < text_.size() && text_[at_] != separator_ && text_[at_] != '\n' &&
      text_.substr(at_, 2) != "\r\n") {
    return error(line_, "text after the closing quote");
  }
  return field;
}

}  // namespace sigserve::cli
