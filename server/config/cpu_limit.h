// How many processors this process may use: by its affinity mask, and by the CPU quotas of its
// control groups (v1 and v2) and their ancestors. Read once at start, to size the thread pools:
// when a group exceeds its quota, the kernel stops all its threads at once.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace sigserve {

struct CpuLimit {
  /// In the affinity mask; at least 1.
  int processors = 1;
  /// In processors, may be fractional; absent = no quota.
  std::optional<double> quota = std::nullopt;

  /// How many threads can run at once: the smaller of both, rounded up, at least 1.
  int threads() const;
  /// "4 processors, quota 1.50".
  std::string ToString() const;
};

/// Returns the text of a file; nullopt if it cannot be read.
using ReadText = std::function<std::optional<std::string>(const std::string& path)>;

/// `processors`: the number in the affinity mask. What cannot be read or parsed counts as no limit.
CpuLimit FindCpuLimit(int processors, const ReadText& read);

/// The limit of this process.
CpuLimit FindCpuLimit();

}  // namespace sigserve
