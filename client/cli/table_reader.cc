#include "client/cli/table_reader.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

/// Cuts text into records of fields, one record per call.
class Scanner {
 public:
  Scanner(absl::string_view text, std::string source)
      : text_(absl::StripPrefix(text, "\xEF\xBB\xBF")), source_(std::move(source)) {}

  /// False at the end of the text. `line()` is then the line on which the record began.
  absl::StatusOr<bool> Next(std::vector<std::string>* fields) {
    while (SkipLineEnd()) {
    }
    if (at_ == text_.size()) return false;
    record_line_ = line_;
    fields->clear();
    for (;;) {
      CLIENT_ASSIGN_OR_RETURN(std::string field, Field(fields->size() + 1));
      fields->push_back(std::move(field));
      if (at_ == text_.size() || SkipLineEnd()) return true;
      ++at_;  // the comma
    }
  }

  int64_t line() const { return record_line_; }

  absl::Status Error(int64_t line, absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(source_, ": line ", line, what));
  }

 private:
  bool SkipLineEnd() {
    if (at_ < text_.size() && text_[at_] == '\r' && at_ + 1 < text_.size() &&
        text_[at_ + 1] == '\n') {
      ++at_;
    }
    if (at_ == text_.size() || text_[at_] != '\n') return false;
    ++at_;
    ++line_;
    return true;
  }

  absl::StatusOr<std::string> Field(size_t column) {
    if (at_ == text_.size() || text_[at_] != '"') {
      const size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
      absl::string_view field = text_.substr(at_, end - at_);
      at_ = end;
      if (end < text_.size() && text_[end] == '\n' && absl::EndsWith(field, "\r")) {
        field.remove_suffix(1);
        --at_;
      }
      return std::string(field);
    }
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
    if (at_ == text_.size()) {
      return Error(opened, absl::StrCat(", column ", column, ": the quote is never closed"));
    }
    ++at_;
    if (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' &&
        text_.substr(at_, 2) != "\r\n") {
      return Error(line_, absl::StrCat(", column ", column, ": text after the closing quote"));
    }
    return field;
  }

  const absl::string_view text_;
  const std::string source_;
  size_t at_ = 0;
  int64_t line_ = 1;
  int64_t record_line_ = 1;
};

bool LooksLikeHeader(const std::vector<std::string>& fields) {
  double unused = 0;
  return std::any_of(fields.begin(), fields.end(),
                     [&unused](const std::string& f) { return !ParseNumber(f, &unused); });
}

absl::StatusOr<size_t> FindColumn(const std::string& wanted, const std::vector<std::string>& names,
                                  size_t columns, const std::string& source) {
  const auto named = std::find(names.begin(), names.end(), wanted);
  if (named != names.end()) return named - names.begin();
  size_t number = 0;
  if (absl::SimpleAtoi(wanted, &number) && number >= 1 && number <= columns) return number - 1;
  return absl::InvalidArgumentError(
      absl::StrCat(source, ": no column '", wanted, "'; ",
                   names.empty() ? absl::StrCat("without a header, columns are 1 to ", columns)
                                 : absl::StrCat("the header has ", absl::StrJoin(names, ", "))));
}

/// " ('radius')", or nothing without a header.
std::string Named(const std::vector<std::string>& header, size_t column) {
  return header.empty() ? "" : absl::StrCat(" ('", header[column], "')");
}

std::string WhyNotANumber(const std::string& field, size_t fields) {
  if (absl::StripAsciiWhitespace(field).empty()) {
    return "is empty; write nan if the model takes missing values";
  }
  std::string why = absl::StrCat("'", field.substr(0, 40), "' is not a number");
  if (fields == 1) {
    for (const char separator : {';', '\t'}) {
      if (absl::StrContains(field, separator)) {
        absl::StrAppend(&why, "; fields are separated by commas");
        break;
      }
    }
  }
  return why;
}

}  // namespace

absl::StatusOr<InputData> ReadCsv(absl::string_view text, const CsvOptions& options) {
  Scanner scanner(text, options.source);
  std::vector<std::string> fields;
  CLIENT_ASSIGN_OR_RETURN(bool more, scanner.Next(&fields));
  if (!more) return absl::InvalidArgumentError(absl::StrCat(options.source, ": no rows"));

  const size_t columns = fields.size();
  const int64_t first_line = scanner.line();
  std::vector<std::string> header;
  if (options.header == HeaderMode::kAuto && LooksLikeHeader(fields)) {
    for (const std::string& field : fields) {
      header.emplace_back(absl::StripAsciiWhitespace(field));
    }
    CLIENT_ASSIGN_OR_RETURN(more, scanner.Next(&fields));
    if (!more) {
      return absl::InvalidArgumentError(
          absl::StrCat(options.source, ": a header but no rows (--no-header if it is a row)"));
    }
  }

  std::vector<size_t> label_at;  // in the order asked for
  std::vector<bool> is_label(columns, false);
  for (const std::string& wanted : options.label_columns) {
    CLIENT_ASSIGN_OR_RETURN(const size_t at, FindColumn(wanted, header, columns, options.source));
    if (is_label[at]) {
      return absl::InvalidArgumentError(
          absl::StrCat(options.source, ": label column '", wanted, "' is given twice"));
    }
    is_label[at] = true;
    label_at.push_back(at);
  }
  if (label_at.size() == columns) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.source, ": no column is left beside the label columns"));
  }

  InputData data{.source = options.source, .label_names = options.label_columns};
  InputArray array;
  int64_t rows = 0;
  for (size_t c = 0; c < header.size(); ++c) {
    if (!is_label[c]) data.column_names.push_back(header[c]);
  }
  while (more) {
    if (fields.size() != columns) {
      return scanner.Error(scanner.line(), absl::StrCat(": ", fields.size(), " fields, but line ",
                                                        first_line, " has ", columns));
    }
    for (size_t c = 0; c < columns; ++c) {
      if (is_label[c]) continue;
      double value = 0;
      if (!ParseNumber(fields[c], &value)) {
        return scanner.Error(scanner.line(), absl::StrCat(", column ", c + 1, Named(header, c),
                                                          ": ", WhyNotANumber(fields[c], columns)));
      }
      array.values.push_back(value);
    }
    for (const size_t c : label_at) {
      data.labels.emplace_back(absl::StripAsciiWhitespace(fields[c]));
    }
    ++rows;
    CLIENT_ASSIGN_OR_RETURN(more, scanner.Next(&fields));
  }
  array.shape = {rows, static_cast<int64_t>(columns - label_at.size())};
  data.arrays.push_back(std::move(array));
  return data;
}

}  // namespace sigserve::cli
