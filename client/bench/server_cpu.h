// The CPU time a server has used, to tell what a call costs it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sigserve::bench {

/// User and system seconds of a process on this machine, to the nanosecond, from /proc. NOT_FOUND
/// if there is no such process.
absl::StatusOr<double> CpuSecondsOfProcess(int pid);

/// process_cpu_seconds_total of the server's own metrics, `address` being HOST:PORT of its HTTP
/// endpoint. Blocks for 5 s at most each for connecting and for every read.
absl::StatusOr<double> CpuSecondsFromMetrics(const std::string& address);

/// The value of an unlabelled sample in Prometheus's text format.
absl::StatusOr<double> FindSample(absl::string_view text, absl::string_view name);

}  // namespace sigserve::bench
