// The figures of `sigctl bench`: medians of repeated runs, as table, JSON or CSV. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "client/bench/load_run.h"
#include "client/cli/context.h"

namespace sigserve::cli {

/// In microseconds unless the name says otherwise.
struct BenchFigures {
  double ok_per_second = 0;
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double p999 = 0;
  double max = 0;
  double failure_p50 = 0;  // of calls answered with an error, which the figures above exclude
  double failure_p99 = 0;
  std::optional<double> server_cpu_per_call = {};
  double client_busy = 0;  // share of the time, 0 to 1
};

/// One load on one target, run once or several times.
struct BenchPoint {
  std::string target = {};  // "server", "echo", "background"
  int64_t concurrency = 0;
  double rate = 0;  // 0 = closed loop
  int64_t rows_per_call = 1;
  int runs = 0;
  BenchFigures figures = {};                      // medians
  std::array<int64_t, bench::kCodes> codes = {};  // sums over the runs, as the fields below
  int64_t unanswered = 0;
  int64_t unsent = 0;
  int64_t expired = 0;
  int64_t reconnects = 0;
};

BenchFigures FiguresOf(const bench::LoadResult& result, std::optional<double> server_cpu_seconds);
/// The median of each figure; the mean of the middle two of an even number. `all` is not empty.
BenchFigures MedianOf(const std::vector<BenchFigures>& all);
/// Adds a run's counts.
void AddCounts(const bench::LoadResult& result, BenchPoint* point);

void WriteBench(const std::vector<BenchPoint>& points, const OutputStyle& style, std::ostream& out);

}  // namespace sigserve::cli
