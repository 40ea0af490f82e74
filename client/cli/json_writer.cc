#include "client/cli/json_writer.h"

#include <charconv>
#include <cmath>

#include "absl/strings/str_format.h"
#include "client/cli/utf8.h"

namespace sigserve::cli {

JsonWriter& JsonWriter::Begin(char bracket) {
  Separate();
  out_ << bracket;
  has_entries_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::End(char bracket) {
  const bool had_entries = has_entries_.back();
  has_entries_.pop_back();
  if (had_entries) NewLine();
  out_ << bracket;
  return *this;
}

JsonWriter& JsonWriter::Key(absl::string_view name) {
  Separate();
  Quote(name);
  out_ << (indented_ ? ": " : ":");
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::Text(absl::string_view text) {
  Separate();
  Quote(text);
  return *this;
}

JsonWriter& JsonWriter::Texts(const std::vector<std::string>& texts) {
  BeginArray();
  for (const std::string& text : texts) Text(text);
  return EndArray();
}

JsonWriter& JsonWriter::Integer(int64_t value) {
  Separate();
  out_ << value;
  return *this;
}

JsonWriter& JsonWriter::Unsigned(uint64_t value) {
  Separate();
  out_ << value;
  return *this;
}

template <typename T>
JsonWriter& JsonWriter::WriteNumber(T value) {
  if (!std::isfinite(value)) return Null();
  Separate();
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  const absl::string_view text(buffer, static_cast<size_t>(result.ptr - buffer));
  out_ << text;
  if (text.find_first_of(".e") == absl::string_view::npos) out_ << ".0";
  return *this;
}

JsonWriter& JsonWriter::Number(double value) { return WriteNumber(value); }
JsonWriter& JsonWriter::Number(float value) { return WriteNumber(value); }

JsonWriter& JsonWriter::Bool(bool value) {
  Separate();
  out_ << (value ? "true" : "false");
  return *this;
}

JsonWriter& JsonWriter::Null() {
  Separate();
  out_ << "null";
  return *this;
}

void JsonWriter::Separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_entries_.empty()) return;
  if (has_entries_.back()) out_ << ',';
  has_entries_.back() = true;
  NewLine();
}

void JsonWriter::NewLine() {
  if (indented_) out_ << '\n' << std::string(2 * has_entries_.size(), ' ');
}

void JsonWriter::Quote(absl::string_view text) {
  out_ << '"';
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const char c = text[0];
    if (length == 0) {
      out_ << "\xEF\xBF\xBD";
    } else if (c == '"' || c == '\\') {
      out_ << '\\' << c;
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out_ << '\\' << (c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out_ << absl::StrFormat("\\u%04x", c);
    } else {
      out_ << text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out_ << '"';
}

}  // namespace sigserve::cli
