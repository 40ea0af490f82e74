#include "server/metrics/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace sigserve {
namespace {

double ResidentBytes() {
  std::ifstream statm("/proc/self/statm");  // in pages: size, resident, ...
  double size = 0;
  double resident = 0;
  statm >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double OpenFiles() {
  std::error_code error;
  std::filesystem::directory_iterator it("/proc/self/fd", error);
  double count = 0;
  for (const std::filesystem::directory_iterator end; !error && it != end; it.increment(error)) {
    ++count;
  }
  return count;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

prometheus::Gauge& AddGauge(prometheus::Registry* registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add({});
}

}  // namespace

ProcessStats::ProcessStats(prometheus::Registry* registry)
    : resident_memory_(
          AddGauge(registry, "process_resident_memory_bytes", "Memory in RAM, in bytes.")),
      open_fds_(AddGauge(registry, "process_open_fds", "Open file descriptors.")),
      cpu_(prometheus::BuildCounter()
               .Name("process_cpu_seconds_total")
               .Help("CPU time used, user and system.")
               .Register(*registry)
               .Add({})) {
  AddGauge(registry, "process_start_time_seconds", "When the process started, in Unix time.")
      .Set(absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
}

void ProcessStats::Update() {
  resident_memory_.Set(ResidentBytes());
  open_fds_.Set(OpenFiles());
  absl::MutexLock lock(&mutex_);
  cpu_.Increment(CpuSeconds() - cpu_.Value());
}

}  // namespace sigserve
