#include "server/rpc/status.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

/// At most `limit` bytes, cut before the character that crosses it.
absl::string_view CutUtf8(absl::string_view text, size_t limit) {
  if (text.size() <= limit) return text;
  const auto continues = [&](size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
  };
  while (limit > 0 && continues(limit)) --limit;
  return text.substr(0, limit);
}

}  // namespace

std::string WireMessage(const absl::Status& status) {
  const absl::string_view cut = CutUtf8(status.message(), kMaxMessageBytes);
  return cut.size() == status.message().size() ? std::string(cut) : absl::StrCat(cut, " [cut]");
}

absl::Status WireStatus(const absl::Status& status) { return {status.code(), WireMessage(status)}; }

std::string Quote(absl::string_view name) {
  constexpr size_t kLimit = 64;
  const absl::string_view cut = CutUtf8(name, kLimit);
  return absl::StrCat("'", absl::Utf8SafeCEscape(cut), cut.size() < name.size() ? "..." : "", "'");
}

}  // namespace sigserve
