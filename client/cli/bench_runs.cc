#include "client/cli/bench_runs.h"

#include <utility>

#include "client/bench/server_cpu.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

absl::StatusOr<std::optional<double>> ReadCpu(const Target& target) {
  // With background load, the CPU time cannot be divided between the two kinds of calls.
  if (target.background || (target.pid == 0 && target.metrics_address.empty())) {
    return std::optional<double>();
  }
  CLIENT_ASSIGN_OR_RETURN(const double seconds,
                          target.pid != 0 ? bench::CpuSecondsOfProcess(target.pid)
                                          : bench::CpuSecondsFromMetrics(target.metrics_address));
  return std::optional<double>(seconds);
}

/// The runs of one load on one target.
struct Measured {
  BenchPoint point = {};
  std::vector<BenchFigures> figures = {};

  void Add(const bench::LoadResult& result, std::optional<double> server_cpu_seconds) {
    AddCounts(result, &point);
    figures.push_back(FiguresOf(result, server_cpu_seconds));
  }
};

/// One run.
absl::Status Measure(const Target& target, bench::LoadOptions options, Measured* measured,
                     Measured* background) {
  options.address = target.address;
  CLIENT_ASSIGN_OR_RETURN(const auto before, ReadCpu(target));
  CLIENT_ASSIGN_OR_RETURN(
      const bench::LoadResult result,
      bench::RunLoad(options, target.workload,
                     {.workload = target.background ? &*target.background : nullptr,
                      .concurrency = target.background_concurrency}));
  CLIENT_ASSIGN_OR_RETURN(const auto after, ReadCpu(target));
  measured->Add(result, before && after ? std::optional<double>(*after - *before) : std::nullopt);
  for (const bench::LoadResult& other : result.background) background->Add(other, std::nullopt);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<BenchPoint>> MeasurePoint(const std::vector<Target>& targets,
                                                     const bench::LoadOptions& options,
                                                     int repeat) {
  std::vector<Measured> all;
  all.reserve(2 * targets.size());
  for (const Target& target : targets) {
    all.push_back({.point = {.target = target.name,
                             .concurrency = options.concurrency,
                             .rate = options.rate,
                             .rows_per_call = target.workload.rows}});
  }
  for (const Target& target : targets) {
    all.push_back({.point = {.target = "background",
                             .concurrency = target.background_concurrency,
                             .rows_per_call = target.background ? target.background->rows : 0}});
  }
  for (int run = 0; run < repeat; ++run) {
    for (size_t t = 0; t < targets.size(); ++t) {
      CLIENT_RETURN_IF_ERROR(Measure(targets[t], options, &all[t], &all[targets.size() + t]));
    }
  }
  std::vector<BenchPoint> points;
  points.reserve(all.size());
  for (Measured& measured : all) {
    if (measured.figures.empty()) continue;
    measured.point.figures = MedianOf(measured.figures);
    points.push_back(std::move(measured.point));
  }
  return points;
}

}  // namespace sigserve::cli
