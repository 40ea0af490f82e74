#include "model/base/log.h"

#include <unistd.h>

#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sigserve {
namespace {

// Everything else stays readable: quotes, backslashes, UTF-8.
std::string EscapeControls(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(&out, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void LogLine(LogLevel level, absl::string_view file, int line, absl::string_view text) {
  const size_t slash = file.rfind('/');
  if (slash != absl::string_view::npos) file.remove_prefix(slash + 1);
  static constexpr char kLetters[] = {'I', 'W', 'E'};
  const std::string out =
      absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()), " ",
                   absl::string_view(&kLetters[static_cast<int>(level)], 1), " ", file, ":", line,
                   "] ", EscapeControls(text), "\n");
  // One write per line keeps lines whole; a log that cannot be written is not worth dying for.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, out.data(), out.size());
}

}  // namespace sigserve
