// Cuts CSV text (RFC 4180 with any separator) into records of fields. For table_reader.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sigserve::cli {

/// The one of ",", ";" and tab that is most frequent in the first line outside of quotes; a comma
/// if there is none.
char FindSeparator(absl::string_view text);

/// "','", "a tab".
std::string SeparatorName(char separator);

class CsvScanner {
 public:
  /// `text` outlives the scanner. `source` is for messages.
  CsvScanner(absl::string_view text, char separator, std::string source);

  /// Reads the next record; false at the end of the text. Blank lines are skipped.
  absl::StatusOr<bool> Next(std::vector<std::string>* fields);

  /// The line, from 1, on which the last record began.
  int64_t line() const { return record_line_; }

 private:
  bool SkipLineEnd();
  absl::StatusOr<std::string> Field(size_t column);
  absl::StatusOr<std::string> QuotedField(size_t column);

  const absl::string_view text_;
  const char separator_;
  const std::string source_;
  size_t at_ = 0;
  int64_t line_ = 1;
  int64_t record_line_ = 1;
};

}  // namespace sigserve::cli
