#include "client/cli/utf8.h"

#include <cstdint>

namespace sigserve::cli {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

bool IsSurrogate(uint32_t code) { return code >= 0xD800 && code <= 0xDFFF; }

void AppendUtf8(uint32_t code, std::string* to) {
  const auto byte = [to](uint32_t bits) { to->push_back(static_cast<char>(bits)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6);
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

}  // namespace

size_t Utf8Length(absl::string_view text) {
  if (text.empty()) return 0;
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const uint32_t first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  uint32_t code = first & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (at(i) & 0x3F);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  return code < kLeast[length] || code > 0x10FFFF || IsSurrogate(code) ? 0 : length;
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string Utf16ToUtf8(absl::string_view text, bool big_endian) {
  const auto unit = [&](size_t i) {
    const uint32_t low = static_cast<unsigned char>(text[i + (big_endian ? 1 : 0)]);
    const uint32_t high = static_cast<unsigned char>(text[i + (big_endian ? 0 : 1)]);
    return high << 8 | low;
  };
  std::string utf8;
  utf8.reserve(text.size() / 2);
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    uint32_t code = unit(i);
    if (IsSurrogate(code)) {
      const uint32_t next = i + 3 < text.size() ? unit(i + 2) : 0;
      const bool pair = code < 0xDC00 && next >= 0xDC00 && next <= 0xDFFF;
      code = pair ? 0x10000 + ((code - 0xD800) << 10) + (next - 0xDC00) : kReplacement;
      if (pair) i += 2;
    }
    AppendUtf8(code, &utf8);
  }
  return utf8;
}

}  // namespace sigserve::cli
