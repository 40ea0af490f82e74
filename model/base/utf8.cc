#include "model/base/utf8.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sigserve {
namespace {

/// Bytes of the character at the start of `text`; 0 if it is invalid.
size_t CharacterBytes(absl::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0 || length > text.size()) return 0;
  uint32_t code = lead & (0xFFU >> (length + 1));
  for (size_t k = 1; k < length; ++k) {
    const auto next = static_cast<unsigned char>(text[k]);
    if ((next & 0xC0U) != 0x80U) return 0;
    code = (code << 6) | (next & 0x3FU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF) return 0;
  return length;
}

}  // namespace

size_t ValidUtf8Prefix(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = CharacterBytes(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

bool IsValidUtf8(absl::string_view text) { return ValidUtf8Prefix(text) == text.size(); }

std::string EscapeInvalidUtf8(absl::string_view text) {
  std::string out;
  while (true) {
    const size_t valid = ValidUtf8Prefix(text);
    out.append(text.data(), valid);
    if (valid == text.size()) return out;
    absl::StrAppend(&out, "\\x",
                    absl::Hex(static_cast<unsigned char>(text[valid]), absl::kZeroPad2));
    text.remove_prefix(valid + 1);
  }
}

absl::string_view WithoutByteOrderMark(absl::string_view text) {
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  return text;
}

absl::Status CheckUtf8File(absl::string_view contents, absl::string_view file) {
  if (absl::StartsWith(contents, "\xFF\xFE") || absl::StartsWith(contents, "\xFE\xFF")) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": is UTF-16, expected UTF-8; convert the file, for example with: ",
                     "iconv -f UTF-16 -t UTF-8"));
  }
  const size_t valid = ValidUtf8Prefix(contents);
  if (valid == contents.size()) return absl::OkStatus();
  const absl::string_view before = contents.substr(0, valid);
  const auto byte =
      absl::StrCat(absl::Hex(static_cast<unsigned char>(contents[valid]), absl::kZeroPad2));
  return absl::InvalidArgumentError(absl::StrCat(
      file, ": line ", std::count(before.begin(), before.end(), '\n') + 1, " has the byte 0x",
      absl::AsciiStrToUpper(byte),
      ", which is not UTF-8; convert the file, for example with: ", "iconv -f LATIN1 -t UTF-8"));
}

absl::string_view CutUtf8(absl::string_view text, size_t limit) {
  if (text.size() <= limit) return text;
  const auto continues = [&](size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
  };
  while (limit > 0 && continues(limit)) --limit;
  return text.substr(0, limit);
}

}  // namespace sigserve
