// Rows from CSV text, RFC 4180: quoted fields ("" inside for a quote, line breaks allowed), LF or
// CRLF, UTF-8 with or without a byte-order mark, UTF-16 with one. Fields are separated by commas,
// semicolons or tabs. Blank lines are skipped. With HeaderMode::kAuto the first line is a header
// when any of its fields is not a number.
// Errors name the source, the row (data rows from 1, as in sigctl's output), the line of the file
// (from 1) and the column.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/input_data.h"

namespace sigserve::cli {

enum class HeaderMode { kAuto, kAbsent };

/// Columns are named by the header or by number from 1.
struct CsvOptions {
  std::string source = "input";
  HeaderMode header = HeaderMode::kAuto;
  char separator = '\0';                        // '\0' = found in the first line
  std::vector<std::string> label_columns = {};  // set aside as text
  std::vector<std::string> features = {};       // in this order; empty = all remaining columns
  std::vector<std::string> dropped = {};        // not read
};

/// One array [rows, features]. INVALID_ARGUMENT for ragged rows, a feature that is not a number, no
/// rows, unknown columns, or a column with two roles.
absl::StatusOr<InputData> ReadCsv(absl::string_view text, const CsvOptions& options);

}  // namespace sigserve::cli
