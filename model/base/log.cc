#include "model/base/log.h"

#include <unistd.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sigserve {

void LogLine(LogLevel level, absl::string_view file, int line, absl::string_view text) {
  const size_t slash = file.rfind('/');
  if (slash != absl::string_view::npos) file.remove_prefix(slash + 1);
  static constexpr char kLetters[] = {'I', 'W', 'E'};
  const std::string out =
      absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()), " ",
                   absl::string_view(&kLetters[static_cast<int>(level)], 1), " ", file, ":", line,
                   "] ", absl::Utf8SafeCEscape(text), "\n");
  // One write per line keeps lines whole; a log that cannot be written is not worth dying for.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, out.data(), out.size());
}

}  // namespace sigserve
