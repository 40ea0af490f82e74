// Results as text. A Grid is the content of a table or CSV; JSON is written with JsonWriter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace sigserve::cli {

struct Grid {
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> rows;  // as wide as `names`
};

/// Aligned columns, two spaces apart; columns of numbers are flush right. Control characters are
/// shown as '?', so that a name from a server cannot move the cursor.
/// A table wider than `max_columns` (0 = no limit) is fitted: long texts continue on the next line,
/// broken between words; if that is not enough, the columns are shown in several tables, each
/// beginning with the first column.
void WriteTable(const Grid& grid, size_t max_columns, std::ostream& out);
/// RFC 4180 with LF.
void WriteCsv(const Grid& grid, std::ostream& out);

/// The shortest text that reads back as the same float; at most 9 digits.
std::string ExactText(float value);

/// "2026-01-31 12:00:00 UTC", or "-" for 0.
std::string TimeText(int64_t unix_ms);
/// "0.4 s", "12 s", "3 min 05 s", "2 h 03 min".
std::string DurationText(double seconds);

}  // namespace sigserve::cli
