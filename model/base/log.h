// One line per event on standard error: "2026-01-31T12:00:00.123Z I model.cc:42] text".
// Thread-safe: lines never mix. Control characters in the text are escaped, so that names from
// files and requests cannot forge lines.
#pragma once

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sigserve {

enum class LogLevel { kInfo, kWarning, kError };

void LogLine(LogLevel level, absl::string_view file, int line, absl::string_view text);

}  // namespace sigserve

/// SIGSERVE_LOG(kInfo, "loaded ", name, " in ", ms, " ms"): the arguments are absl::StrCat's.
#define SIGSERVE_LOG(level, ...) \
  ::sigserve::LogLine(::sigserve::LogLevel::level, __FILE__, __LINE__, absl::StrCat(__VA_ARGS__))
