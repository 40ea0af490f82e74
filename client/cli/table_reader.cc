#include "client/cli/table_reader.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/csv_scanner.h"
#include "client/cli/suggestions.h"
#include "client/cli/utf8.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

/// Which column of the file holds what.
struct Columns {
  std::vector<std::string> header;  // empty without one
  size_t count = 0;
  std::vector<size_t> features;
  std::vector<size_t> labels;
};

bool LooksLikeHeader(const std::vector<std::string>& fields) {
  double unused = 0;
  return std::any_of(fields.begin(), fields.end(),
                     [&unused](const std::string& f) { return !ParseNumber(f, &unused); });
}

std::string Listed(const std::vector<std::string>& names) {
  constexpr size_t kMaxListed = 20;
  if (names.size() <= kMaxListed) return absl::StrJoin(names, ", ");
  const std::vector<std::string> first(names.begin(), names.begin() + kMaxListed);
  return absl::StrCat(absl::StrJoin(first, ", "), " and ", names.size() - kMaxListed, " more");
}

absl::StatusOr<size_t> FindColumn(const std::string& wanted, const Columns& columns) {
  const auto named = std::find(columns.header.begin(), columns.header.end(), wanted);
  if (named != columns.header.end()) return named - columns.header.begin();
  size_t number = 0;
  if (absl::SimpleAtoi(wanted, &number) && number >= 1 && number <= columns.count) {
    return number - 1;
  }
  if (columns.header.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "no column '", wanted, "'; without a header, columns are 1 to ", columns.count));
  }
  return absl::InvalidArgumentError(absl::StrCat("no column '", wanted, "'; the header has ",
                                                 Listed(columns.header),
                                                 DidYouMean(wanted, columns.header)));
}

/// Gives every column its role.
absl::Status Assign(const CsvOptions& options, Columns* columns) {
  std::vector<bool> taken(columns->count, false);
  const auto take = [&](const std::vector<std::string>& names,
                        std::vector<size_t>* to) -> absl::Status {
    for (const std::string& name : names) {
      CLIENT_ASSIGN_OR_RETURN(const size_t at, FindColumn(name, *columns));
      if (taken[at]) {
        return absl::InvalidArgumentError(absl::StrCat("column '", name, "' is given twice"));
      }
      taken[at] = true;
      to->push_back(at);
    }
    return absl::OkStatus();
  };
  std::vector<size_t> dropped;
  CLIENT_RETURN_IF_ERROR(take(options.label_columns, &columns->labels));
  CLIENT_RETURN_IF_ERROR(take(options.dropped, &dropped));
  CLIENT_RETURN_IF_ERROR(take(options.features, &columns->features));
  for (size_t c = 0; options.features.empty() && c < columns->count; ++c) {
    if (!taken[c]) columns->features.push_back(c);
  }
  if (columns->features.empty()) {
    return absl::InvalidArgumentError("no column is left for the features");
  }
  return absl::OkStatus();
}

class TableReader {
 public:
  TableReader(absl::string_view text, const CsvOptions& options)
      : options_(options),
        separator_(options.separator == '\0' ? FindSeparator(text) : options.separator),
        scanner_(text, separator_, options.source) {}

  absl::StatusOr<InputData> Read() {
    CLIENT_ASSIGN_OR_RETURN(bool more, scanner_.Next(&fields_));
    if (!more) return Error("no rows");
    CLIENT_RETURN_IF_ERROR(ReadHeader(&more));
    if (!more) return Error("a header but no rows (--no-header if the first line is a row)");
    const absl::Status assigned = Assign(options_, &columns_);
    if (!assigned.ok()) return Error(assigned.message());

    InputData data{.source = options_.source, .label_names = options_.label_columns};
    InputArray array;
    for (const size_t c : columns_.features) {
      if (!columns_.header.empty()) data.column_names.push_back(columns_.header[c]);
    }
    for (; more; ++row_) {
      CLIENT_RETURN_IF_ERROR(AppendRow(&array, &data));
      CLIENT_ASSIGN_OR_RETURN(more, scanner_.Next(&fields_));
    }
    array.shape = {row_ - 1, static_cast<int64_t>(columns_.features.size())};
    data.arrays.push_back(std::move(array));
    return data;
  }

 private:
  absl::Status ReadHeader(bool* more) {
    columns_.count = fields_.size();
    first_line_ = scanner_.line();
    if (options_.header == HeaderMode::kAbsent || !LooksLikeHeader(fields_)) {
      return absl::OkStatus();
    }
    for (const std::string& field : fields_) {
      if (!IsUtf8(field))
        return Error("the header is not UTF-8; convert it, for example with iconv");
      columns_.header.emplace_back(absl::StripAsciiWhitespace(field));
    }
    CLIENT_ASSIGN_OR_RETURN(*more, scanner_.Next(&fields_));
    return absl::OkStatus();
  }

  absl::Status AppendRow(InputArray* array, InputData* data) {
    if (fields_.size() != columns_.count) {
      return Error(absl::StrCat(Place(), ": ", fields_.size(), " fields, but line ", first_line_,
                                " has ", columns_.count, "; the separator is ",
                                SeparatorName(separator_)));
    }
    for (const size_t c : columns_.features) {
      double value = 0;
      if (!ParseNumber(fields_[c], &value)) {
        return Error(absl::StrCat(Place(), ", column ", c + 1, Name(c), ": ", WhyNotANumber(c)));
      }
      array->values.push_back(value);
    }
    for (const size_t c : columns_.labels) {
      data->labels.emplace_back(absl::StripAsciiWhitespace(fields_[c]));
    }
    return absl::OkStatus();
  }

  std::string Place() const { return absl::StrCat("row ", row_, " (line ", scanner_.line(), ")"); }

  /// " ('radius')", or nothing without a header.
  std::string Name(size_t column) const {
    return columns_.header.empty() ? "" : absl::StrCat(" ('", columns_.header[column], "')");
  }

  std::string WhyNotANumber(size_t column) const {
    const std::string& field = fields_[column];
    if (absl::StripAsciiWhitespace(field).empty()) {
      return "is empty; write nan if the model takes missing values";
    }
    std::string why = absl::StrCat("'", field.substr(0, 40), "' is not a number");
    if (columns_.count > 1) {
      absl::StrAppend(&why, "; --drop ",
                      columns_.header.empty() ? absl::StrCat(column + 1) : columns_.header[column],
                      " leaves the column out");
    }
    if (separator_ != ',' && absl::StrContains(field, ',')) {
      absl::StrAppend(&why, "; the decimal sign is a point");
    }
    if (separator_ != ';' && absl::StrContains(field, ';')) {
      absl::StrAppend(&why, "; the separator is ", SeparatorName(separator_));
    }
    return why;
  }

  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(options_.source, ": ", what));
  }

  const CsvOptions& options_;
  const char separator_;
  CsvScanner scanner_;
  Columns columns_;
  std::vector<std::string> fields_;
  int64_t first_line_ = 1;
  int64_t row_ = 1;
};

}  // namespace

absl::StatusOr<InputData> ReadCsv(absl::string_view text, const CsvOptions& options) {
  const bool little_endian = absl::StartsWith(text, "\xFF\xFE");
  const bool big_endian = absl::StartsWith(text, "\xFE\xFF");
  if (little_endian || big_endian) {
    const std::string utf8 = Utf16ToUtf8(text.substr(2), big_endian);
    return TableReader(utf8, options).Read();
  }
  if (absl::StrContains(text.substr(0, 64), '\0')) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.source, ": not a CSV: it holds zero bytes; UTF-16 needs a byte-order mark"));
  }
  return TableReader(absl::StripPrefix(text, "\xEF\xBB\xBF"), options).Read();
}

}  // namespace sigserve::cli
