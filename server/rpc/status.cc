#include "server/rpc/status.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model/base/utf8.h"

namespace sigserve {

std::string WireMessage(const absl::Status& status) {
  const std::string message = EscapeInvalidUtf8(status.message());
  const absl::string_view cut = CutUtf8(message, kMaxMessageBytes);
  return cut.size() == message.size() ? message : absl::StrCat(cut, " [cut]");
}

absl::Status WireStatus(const absl::Status& status) { return {status.code(), WireMessage(status)}; }

std::string Quote(absl::string_view name) {
  constexpr size_t kLimit = 64;
  const absl::string_view cut = CutUtf8(name, kLimit);
  return absl::StrCat("'", absl::Utf8SafeCEscape(cut), cut.size() < name.size() ? "..." : "", "'");
}

}  // namespace sigserve
