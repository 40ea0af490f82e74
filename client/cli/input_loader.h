// From --input, --format and --row to InputData: opens the file or standard input, finds out the
// format, calls the reader.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/table_reader.h"

namespace sigserve::cli {

/// Larger inputs are refused; cut them up.
inline constexpr int64_t kMaxInputBytes = int64_t{4} << 30;

enum class InputFormat { kAuto, kCsv, kJson, kNpy };

/// `path` "-" is `standard_input`. kAuto goes by the name's extension, else by the first bytes.
/// NOT_FOUND or INVALID_ARGUMENT naming the file. `csv.source` is set from the path.
absl::StatusOr<InputData> LoadInput(const std::string& path, InputFormat format, CsvOptions csv,
                                    std::istream& standard_input);

/// One array from texts like "0.5,-0.2,3.0"; all of the same width.
absl::StatusOr<InputData> ParseRows(const std::vector<std::string>& rows);

}  // namespace sigserve::cli
