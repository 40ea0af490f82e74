// Runs of `sigctl bench`: one load on several targets by turns, figures as medians of the runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/bench/load_run.h"
#include "client/bench/workload.h"
#include "client/cli/bench_report.h"

namespace sigserve::cli {

/// A server under load, and where its CPU time can be read: from /proc for a `pid`, else from the
/// metrics at `metrics_address`, else not at all.
struct Target {
  std::string name;
  std::string address;
  bench::Workload workload;
  std::optional<bench::Workload> background;
  int64_t background_concurrency = 0;
  std::string metrics_address;
  int pid = 0;
};

/// Runs one load `repeat` times on every target, by turns, so that a disturbance of the machine
/// affects all alike. Returns a point per target, then one per background load.
absl::StatusOr<std::vector<BenchPoint>> MeasurePoint(const std::vector<Target>& targets,
                                                     const bench::LoadOptions& options, int repeat);

}  // namespace sigserve::cli
