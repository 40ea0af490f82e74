#include "client/cli/writers.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"

namespace sigserve::cli {
namespace {

/// Code points, near enough to columns for the names that models have.
size_t Width(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::string Printable(std::string text) {
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = '?';
  }
  return text;
}

bool IsNumeric(const std::string& text) {
  double unused = 0;
  return text.empty() || text == "-" || absl::SimpleAtod(text, &unused);
}

void AppendCell(const std::string& text, size_t width, bool right, bool last, std::string* line) {
  const std::string padding(width - Width(text), ' ');
  if (right) absl::StrAppend(line, padding, text);
  if (!right) absl::StrAppend(line, text, last ? "" : padding);
  if (!last) absl::StrAppend(line, "  ");
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace

void WriteTable(const Grid& grid, std::ostream& out) {
  std::vector<std::vector<std::string>> lines = {grid.names};
  lines.insert(lines.end(), grid.rows.begin(), grid.rows.end());
  for (auto& line : lines) {
    std::transform(line.begin(), line.end(), line.begin(), Printable);
  }
  const size_t columns = grid.names.size();
  std::vector<size_t> widths(columns, 0);
  std::vector<bool> right(columns, !grid.rows.empty());
  for (size_t row = 0; row < lines.size(); ++row) {
    for (size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], Width(lines[row][c]));
      if (row > 0 && !IsNumeric(lines[row][c])) right[c] = false;
    }
  }
  for (const auto& line : lines) {
    std::string text;
    for (size_t c = 0; c < columns; ++c) {
      AppendCell(line[c], widths[c], right[c], c + 1 == columns, &text);
    }
    out << absl::StripTrailingAsciiWhitespace(text) << "\n";
  }
}

void WriteCsv(const Grid& grid, std::ostream& out) {
  const auto write = [&out](const std::vector<std::string>& fields) {
    out << absl::StrJoin(fields, ",", [](std::string* to, const std::string& field) {
      absl::StrAppend(to, CsvField(field));
    }) << "\n";
  };
  write(grid.names);
  for (const auto& row : grid.rows) write(row);
}

std::string ExactText(float value) {
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, result.ptr);
}

double ExactDouble(float value) {
  double wide = value;
  if (std::isfinite(value)) {
    const std::string text = ExactText(value);
    std::from_chars(text.data(), text.data() + text.size(), wide);
  }
  return wide;
}

std::string TimeText(int64_t unix_ms) {
  if (unix_ms == 0) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixMillis(unix_ms),
                          absl::UTCTimeZone());
}

std::string DurationText(double seconds) {
  if (!(seconds >= 0)) return "-";
  if (seconds < 9.95) return absl::StrFormat("%.1f s", seconds);
  const auto whole = static_cast<int64_t>(std::min(std::round(seconds), 1e15));
  if (whole < 60) return absl::StrCat(whole, " s");
  if (whole < 3600) return absl::StrFormat("%d min %02d s", whole / 60, whole % 60);
  return absl::StrFormat("%d h %02d min", whole / 3600, whole % 3600 / 60);
}

}  // namespace sigserve::cli
