#include "server/net/http_request.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sigserve {
namespace {

std::string PathOf(absl::string_view target) {
  if (absl::ConsumePrefix(&target, "http://")) {  // absolute form, as sent to a proxy
    const size_t slash = target.find('/');
    target = slash == absl::string_view::npos ? "/" : target.substr(slash);
  }
  return std::string(target.substr(0, target.find_first_of("?#")));
}

bool IsToken(absl::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') return false;
  }
  return !text.empty();
}

}  // namespace

HttpHead ParseHttpHead(absl::string_view received) {
  // RFC 9112, 2.2: an empty line before the request line is to be ignored.
  absl::ConsumePrefix(&received, "\r\n");
  const HttpHeadState unfinished =
      received.size() > kMaxHttpHeadBytes ? HttpHeadState::kTooLarge : HttpHeadState::kIncomplete;
  if (received.empty()) return {};
  if (!absl::ascii_isalpha(static_cast<unsigned char>(received[0]))) {
    return {.state = HttpHeadState::kMalformed};  // e.g. a TLS handshake, which has no line end
  }
  const size_t line_end = received.find('\n');
  if (line_end == absl::string_view::npos || line_end > kMaxHttpHeadBytes) {
    return {.state = unfinished};
  }
  absl::string_view line = received.substr(0, line_end);
  absl::ConsumeSuffix(&line, "\r");
  const std::vector<absl::string_view> parts = absl::StrSplit(line, ' ');
  if (parts.size() != 3 || !IsToken(parts[0]) || parts[1].empty() ||
      !absl::StartsWith(parts[2], "HTTP/")) {
    return {.state = HttpHeadState::kMalformed};
  }
  if (!absl::StartsWith(parts[2], "HTTP/1.")) return {.state = HttpHeadState::kWrongVersion};
  const absl::string_view head = received.substr(0, kMaxHttpHeadBytes);
  if (!absl::StrContains(head, "\r\n\r\n") && !absl::StrContains(head, "\n\n")) {
    return {.state = unfinished};
  }
  return {
      .state = HttpHeadState::kComplete, .method = std::string(parts[0]), .path = PathOf(parts[1])};
}

}  // namespace sigserve
