// WriteTable of writers.h: measures, narrows and cuts tables.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/text_layout.h"
#include "client/cli/writers.h"

namespace sigserve::cli {
namespace {

constexpr size_t kGap = 2;
// A text column narrower than this is hard to read: the table is cut into several before that.
constexpr size_t kMinTextWidth = 16;

struct Column {
  size_t width = 0;
  size_t longest_word = 0;
  bool numeric = true;
};

struct Table {
  std::vector<std::vector<std::string>> lines;  // the names, then the rows; printable
  std::vector<Column> columns;
};

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

Table Measure(const Grid& grid) {
  Table table{.lines = {grid.names}, .columns = std::vector<Column>(grid.names.size())};
  table.lines.insert(table.lines.end(), grid.rows.begin(), grid.rows.end());
  for (size_t row = 0; row < table.lines.size(); ++row) {
    for (size_t c = 0; c < table.columns.size(); ++c) {
      std::string& text = table.lines[row][c];
      text = Printable(std::move(text));
      Column& column = table.columns[c];
      column.width = std::max(column.width, DisplayWidth(text));
      for (const std::string& word : WrapWords(text, 0)) {
        column.longest_word = std::max(column.longest_word, DisplayWidth(word));
      }
      if (row > 0 && !IsNumeric(text)) column.numeric = false;
    }
  }
  if (grid.rows.empty()) {
    for (Column& column : table.columns) column.numeric = false;
  }
  return table;
}

size_t TotalWidth(const Table& table, const std::vector<size_t>& chosen) {
  size_t total = 0;
  for (const size_t c : chosen) total += table.columns[c].width + kGap;
  return total == 0 ? 0 : total - kGap;
}

/// Narrows the widest text columns until the table fits; false if it cannot.
bool Shrink(Table* table, const std::vector<size_t>& chosen, size_t max_columns) {
  for (size_t total = TotalWidth(*table, chosen); total > max_columns;
       total = TotalWidth(*table, chosen)) {
    Column* widest = nullptr;
    size_t least = 0;
    for (const size_t c : chosen) {
      Column& column = table->columns[c];
      const size_t floor = std::max(column.longest_word, std::min(column.width, kMinTextWidth));
      if (column.width > floor && (widest == nullptr || column.width > widest->width)) {
        widest = &column;
        least = floor;
      }
    }
    if (widest == nullptr) return false;
    const size_t excess = total - max_columns;
    widest->width = widest->width - least > excess ? widest->width - excess : least;
  }
  return true;
}

void WriteLines(const Table& table, const std::vector<size_t>& chosen, std::ostream& out) {
  for (const auto& line : table.lines) {
    std::vector<std::vector<std::string>> cells;
    size_t height = 1;
    for (const size_t c : chosen) {
      const Column& column = table.columns[c];
      cells.push_back(DisplayWidth(line[c]) <= column.width ? std::vector<std::string>{line[c]}
                                                            : WrapWords(line[c], column.width));
      height = std::max(height, cells.back().size());
    }
    for (size_t part = 0; part < height; ++part) {
      std::string text;
      for (size_t i = 0; i < chosen.size(); ++i) {
        const Column& column = table.columns[chosen[i]];
        const std::string cell = part < cells[i].size() ? cells[i][part] : "";
        const std::string padding(column.width - std::min(column.width, DisplayWidth(cell)), ' ');
        absl::StrAppend(&text, i == 0 ? "" : std::string(kGap, ' '), column.numeric ? padding : "",
                        cell, column.numeric ? "" : padding);
      }
      out << absl::StripTrailingAsciiWhitespace(text) << "\n";
    }
  }
}

}  // namespace

void WriteTable(const Grid& grid, size_t max_columns, std::ostream& out) {
  Table table = Measure(grid);
  std::vector<size_t> all(table.columns.size());
  for (size_t c = 0; c < all.size(); ++c) all[c] = c;
  if (max_columns == 0 || Shrink(&table, all, max_columns)) {
    WriteLines(table, all, out);
    return;
  }
  table = Measure(grid);
  for (size_t next = 1; next < all.size();) {
    if (next > 1) out << "\n";
    std::vector<size_t> chosen = {0, next++};
    const auto fits_with = [&](size_t c) {
      std::vector<size_t> more = chosen;
      more.push_back(c);
      return TotalWidth(table, more) <= max_columns;
    };
    while (next < all.size() && fits_with(next)) chosen.push_back(next++);
    Shrink(&table, chosen, max_columns);
    WriteLines(table, chosen, out);
  }
}

}  // namespace sigserve::cli
