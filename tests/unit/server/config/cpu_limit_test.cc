#include "server/config/cpu_limit.h"

#include <map>

#include "gtest/gtest.h"

namespace sigserve {
namespace {

using Files = std::map<std::string, std::string>;

constexpr char kV2Mount[] = "30 23 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";
constexpr char kV1Mount[] =
    "29 23 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "35 29 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "36 29 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n";

CpuLimit Find(int processors, const Files& files) {
  return FindCpuLimit(processors, [&](const std::string& path) -> std::optional<std::string> {
    const auto file = files.find(path);
    if (file == files.end()) return std::nullopt;
    return file->second;
  });
}

TEST(CpuLimitTest, Table) {
  struct Case {
    const char* what;
    Files files;
    int processors;
    std::optional<double> quota;
    int threads;
  };
  const std::string cgroup = "/proc/self/cgroup";
  const std::string mounts = "/proc/self/mountinfo";
  const std::string v2 = "/sys/fs/cgroup";
  const std::string v1 = "/sys/fs/cgroup/cpu,cpuacct";
  for (const Case& c : std::vector<Case>{
           {"no files", {}, 4, std::nullopt, 4},
           {"v2 without a quota",
            {{cgroup, "0::/a\n"}, {mounts, kV2Mount}, {v2 + "/a/cpu.max", "max 100000\n"}},
            4,
            std::nullopt,
            4},
           {"v2: rounded up",
            {{cgroup, "0::/a\n"}, {mounts, kV2Mount}, {v2 + "/a/cpu.max", "150000 100000\n"}},
            4,
            1.5,
            2},
           {"v2: a group above is tighter",
            {{cgroup, "0::/a/b\n"},
             {mounts, kV2Mount},
             {v2 + "/a/b/cpu.max", "max 100000\n"},
             {v2 + "/a/cpu.max", "50000 100000\n"}},
            4,
            0.5,
            1},
           {"v2: a container sees its own group as the root",
            {{cgroup, "0::/\n"}, {mounts, kV2Mount}, {v2 + "/cpu.max", "300000 100000\n"}},
            8,
            3.0,
            3},
           {"affinity is tighter than the quota",
            {{cgroup, "0::/\n"}, {mounts, kV2Mount}, {v2 + "/cpu.max", "800000 100000\n"}},
            2,
            8.0,
            2},
           {"v1",
            {{cgroup, "5:cpu,cpuacct:/a\n4:cpuset:/a\n0::/\n"},
             {mounts, kV1Mount},
             {v1 + "/a/cpu.cfs_quota_us", "250000\n"},
             {v1 + "/a/cpu.cfs_period_us", "100000\n"}},
            4,
            2.5,
            3},
           {"v1 without a quota",
            {{cgroup, "5:cpu,cpuacct:/\n"},
             {mounts, kV1Mount},
             {v1 + "/cpu.cfs_quota_us", "-1\n"},
             {v1 + "/cpu.cfs_period_us", "100000\n"}},
            4,
            std::nullopt,
            4},
           {"v1: the mount's root is the container's group",
            {{cgroup, "5:cpu,cpuacct:/docker/x\n"},
             {mounts, "35 29 0:30 /docker/x /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"},
             {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000"},
             {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000"}},
            4,
            1.0,
            1},
           {"nonsense is no limit",
            {{cgroup, "0::/a\nx\n:\n"}, {mounts, kV2Mount}, {v2 + "/a/cpu.max", "0 zero\n"}},
            4,
            std::nullopt,
            4},
           {"no processors", {}, 0, std::nullopt, 1},
       }) {
    SCOPED_TRACE(c.what);
    const CpuLimit limit = Find(c.processors, c.files);
    EXPECT_EQ(limit.quota, c.quota);
    EXPECT_EQ(limit.threads(), c.threads);
  }
}

TEST(CpuLimitTest, ToStringGivesProcessorsAndQuota) {
  EXPECT_EQ((CpuLimit{.processors = 4, .quota = 1.5}).ToString(), "4 processors, quota 1.50");
  EXPECT_EQ((CpuLimit{.processors = 1}).ToString(), "1 processor, no quota");
}

TEST(CpuLimitTest, OfThisProcess) { EXPECT_GE(FindCpuLimit().threads(), 1); }

}  // namespace
}  // namespace sigserve
