// JSON text, written piece by piece. The caller pairs Begin and End and gives a Key before each
// value of an object. Bytes that are not UTF-8 are written as U+FFFD, numbers that are not finite
// as null, so that the text is always JSON.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sigserve::cli {

class JsonWriter {
 public:
  enum class Style { kOneLine, kIndented };

  /// `out` outlives the writer. No line end is written after the last value.
  JsonWriter(std::ostream& out, Style style) : out_(out), indented_(style == Style::kIndented) {}

  JsonWriter& BeginObject() { return Begin('{'); }
  JsonWriter& EndObject() { return End('}'); }
  JsonWriter& BeginArray() { return Begin('['); }
  JsonWriter& EndArray() { return End(']'); }
  JsonWriter& Key(absl::string_view name);

  JsonWriter& Text(absl::string_view text);
  JsonWriter& Texts(const std::vector<std::string>& texts);
  JsonWriter& Integer(int64_t value);
  JsonWriter& Unsigned(uint64_t value);
  /// The shortest text that reads back as the same number; with ".0" if it is whole.
  JsonWriter& Number(double value);
  JsonWriter& Number(float value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();

 private:
  JsonWriter& Begin(char bracket);
  JsonWriter& End(char bracket);
  template <typename T>
  JsonWriter& WriteNumber(T value);
  /// The comma, line end and indentation that belong in front of a value or key.
  void Separate();
  void NewLine();
  void Quote(absl::string_view text);

  std::ostream& out_;
  const bool indented_;
  std::vector<bool> has_entries_;  // of each open object and array
  bool after_key_ = false;
};

}  // namespace sigserve::cli
