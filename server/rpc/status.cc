#include "server/rpc/status.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model/base/utf8.h"

namespace sigserve {

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
