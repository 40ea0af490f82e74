// How many processors this process may use: its affinity, and the quota of its control groups (v1
// and v2), also those above it. Read once at the start; threads are sized by it, for a quota that
// many threads run into stops them all at once.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace sigserve {

struct CpuLimit {
  /// In its affinity mask; at least 1.
  int processors = 1;
  /// Processors' worth of time; absent = no quota.
  std::optional<double> quota = std::nullopt;

  /// Threads that can be busy at once: the smaller of both, rounded up, at least 1.
  int threads() const;
  /// "4 processors, quota 1.50".
  std::string ToString() const;
};

/// The text of a file; nothing when it cannot be read.
using ReadText = std::function<std::optional<std::string>(const std::string& path)>;

/// `processors`: those of the affinity mask. Whatever cannot be read or understood is no limit.
CpuLimit FindCpuLimit(int processors, const ReadText& read);

/// Of this process.
CpuLimit FindCpuLimit();

}  // namespace sigserve
