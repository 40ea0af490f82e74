#include "client/bench/server_cpu.h"

#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/bench/dial.h"
#include "client/status_macros.h"

namespace sigserve::bench {
namespace {

constexpr size_t kMaxPageBytes = size_t{16} << 20;
constexpr timeval kPatience = {.tv_sec = 5, .tv_usec = 0};

}  // namespace

absl::StatusOr<double> CpuSecondsOfProcess(int pid) {
  double nanoseconds = 0;
  std::error_code error;
  // A thread that ends between two readings takes its time along: servers keep theirs.
  for (const auto& task :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/task"), error)) {
    double spent = 0;
    std::ifstream(task.path() / "schedstat") >> spent;
    nanoseconds += spent;
  }
  if (error) return absl::NotFoundError(absl::StrCat("no process ", pid, " on this machine"));
  return nanoseconds * 1e-9;
}

absl::StatusOr<double> CpuSecondsFromMetrics(const std::string& address) {
  CLIENT_ASSIGN_OR_RETURN(const int fd, Dial(address));
  const absl::Cleanup closer = [fd] { close(fd); };
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  const std::string request =
      absl::StrCat("GET /metrics HTTP/1.1\r\nHost: ", address, "\r\nConnection: close\r\n\r\n");
  std::string page;
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
      static_cast<ssize_t>(request.size())) {
    char buffer[16384];
    for (ssize_t n = 0; page.size() < kMaxPageBytes; page.append(buffer, static_cast<size_t>(n))) {
      n = recv(fd, buffer, sizeof(buffer), 0);
      if (n <= 0) break;
    }
  }
  auto seconds = FindSample(page, "process_cpu_seconds_total");
  if (seconds.ok()) return seconds;
  return absl::Status(seconds.status().code(),
                      absl::StrCat(address, "/metrics: ", seconds.status().message()));
}

absl::StatusOr<double> FindSample(absl::string_view text, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, name)) continue;
    double value = 0;
    const absl::string_view rest = line.substr(name.size());
    if (absl::StartsWith(rest, " ") && absl::SimpleAtod(rest, &value)) return value;
  }
  return absl::NotFoundError(absl::StrCat("no ", name));
}

}  // namespace sigserve::bench
