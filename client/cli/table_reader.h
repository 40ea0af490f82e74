// Rows from CSV text, RFC 4180: commas, quoted fields ("" inside for a quote, line breaks allowed),
// LF or CRLF, an optional byte-order mark; blank lines are skipped. With HeaderMode::kAuto the
// first line is a header when any of its fields is not a number. Errors name the source, the line
// (from 1) and the column.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/input_data.h"

namespace sigserve::cli {

enum class HeaderMode { kAuto, kAbsent };

struct CsvOptions {
  std::string source = "input";
  HeaderMode header = HeaderMode::kAuto;
  /// Columns set aside as text: names from the header, or numbers from 1.
  std::vector<std::string> label_columns = {};
};

/// One array [rows, columns] without the label columns. INVALID_ARGUMENT for text that is no table:
/// ragged rows, a field that is no number, no rows, an unknown label column.
absl::StatusOr<InputData> ReadCsv(absl::string_view text, const CsvOptions& options);

}  // namespace sigserve::cli
