#include "server/config/cpu_limit.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sigserve {
namespace {

using Fields = std::vector<absl::string_view>;

Fields Words(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
}

bool Lists(absl::string_view comma_separated, absl::string_view word) {
  const Fields words = absl::StrSplit(comma_separated, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Where a cgroup hierarchy is mounted, and which of its groups is the root of the mount.
struct Mount {
  std::string path;
  std::string root;
};

struct Mounts {
  std::optional<Mount> v1_cpu;
  std::optional<Mount> v2;
};

// /proc/self/mountinfo: "31 23 0:28 ROOT MOUNT_POINT options ... - TYPE SOURCE SUPER_OPTIONS".
Mounts FindMounts(absl::string_view mountinfo) {
  constexpr size_t kRoot = 3;
  constexpr size_t kMountPoint = 4;
  Mounts mounts;
  for (const absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    const Fields words = Words(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() <= kMountPoint || words.end() - dash < 4) continue;
    const Mount mount{std::string(words[kMountPoint]), std::string(words[kRoot])};
    if (dash[1] == "cgroup2") {
      mounts.v2 = mount;
    } else if (dash[1] == "cgroup" && Lists(dash[3], "cpu")) {
      mounts.v1_cpu = mount;
    }
  }
  return mounts;
}

/// The directories of a group and of its ancestors, up to the mount point.
std::vector<std::string> Directories(const Mount& mount, absl::string_view group) {
  // In a container the root of the mount may be the group itself or an ancestor.
  if (mount.root != "/" && absl::ConsumePrefix(&group, mount.root) && !group.empty() &&
      group[0] != '/') {
    group = "";
  }
  std::vector<std::string> directories;
  while (!group.empty() && group != "/") {
    directories.push_back(absl::StrCat(mount.path, group));
    const size_t slash = group.rfind('/');
    group = slash == absl::string_view::npos ? "" : group.substr(0, slash);
  }
  directories.push_back(mount.path);
  return directories;
}

std::optional<double> Ratio(absl::string_view quota, absl::string_view period) {
  int64_t used = 0;
  int64_t whole = 0;
  if (!absl::SimpleAtoi(quota, &used) || !absl::SimpleAtoi(period, &whole)) return std::nullopt;
  if (used <= 0 || whole <= 0) return std::nullopt;  // v1 says -1 for no quota
  return static_cast<double>(used) / static_cast<double>(whole);
}

// cpu.max: "QUOTA PERIOD" or "max PERIOD".
std::optional<double> V2Quota(const std::string& directory, const ReadText& read) {
  const std::optional<std::string> text = read(directory + "/cpu.max");
  if (!text.has_value()) return std::nullopt;
  const Fields words = Words(*text);
  return words.size() == 2 ? Ratio(words[0], words[1]) : std::nullopt;
}

std::optional<double> V1Quota(const std::string& directory, const ReadText& read) {
  const std::optional<std::string> quota = read(directory + "/cpu.cfs_quota_us");
  const std::optional<std::string> period = read(directory + "/cpu.cfs_period_us");
  if (!quota.has_value() || !period.has_value()) return std::nullopt;
  return Ratio(absl::StripAsciiWhitespace(*quota), absl::StripAsciiWhitespace(*period));
}

void Lower(std::optional<double> quota, std::optional<double>* lowest) {
  if (quota.has_value()) *lowest = std::min(*quota, lowest->value_or(*quota));
}

std::optional<std::string> ReadProcFile(const std::string& path) {
  const std::ifstream file(path);
  std::ostringstream text;  // a stream iterator would throw on a read error
  if (!file || !(text << file.rdbuf())) return std::nullopt;
  return text.str();
}

}  // namespace

int CpuLimit::threads() const {
  const int by_quota = quota.has_value()
                           ? static_cast<int>(std::min<double>(processors, std::ceil(*quota)))
                           : processors;
  return std::max(1, std::min(processors, by_quota));
}

std::string CpuLimit::ToString() const {
  return absl::StrCat(processors, processors == 1 ? " processor" : " processors",
                      quota.has_value() ? absl::StrFormat(", quota %.2f", *quota) : ", no quota");
}

CpuLimit FindCpuLimit(int processors, const ReadText& read) {
  CpuLimit limit{.processors = std::max(1, processors)};
  const Mounts mounts = FindMounts(read("/proc/self/mountinfo").value_or(""));
  // "ID:CONTROLLERS:GROUP"; for v2 the controllers are empty.
  const std::string groups = read("/proc/self/cgroup").value_or("");
  for (const absl::string_view line : absl::StrSplit(groups, '\n')) {
    const Fields fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    if (fields[1].empty() && mounts.v2.has_value()) {
      for (const std::string& directory : Directories(*mounts.v2, fields[2])) {
        Lower(V2Quota(directory, read), &limit.quota);
      }
    } else if (Lists(fields[1], "cpu") && mounts.v1_cpu.has_value()) {
      for (const std::string& directory : Directories(*mounts.v1_cpu, fields[2])) {
        Lower(V1Quota(directory, read), &limit.quota);
      }
    }
  }
  return limit;
}

CpuLimit FindCpuLimit() {
  cpu_set_t set;
  const bool known = sched_getaffinity(0, sizeof set, &set) == 0;
  // Fails on machines with more processors than cpu_set_t holds.
  const int processors =
      known ? CPU_COUNT(&set) : static_cast<int>(std::thread::hardware_concurrency());
  return FindCpuLimit(processors, ReadProcFile);
}

}  // namespace sigserve
