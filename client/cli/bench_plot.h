// The figures of `sigctl bench` as an SVG plot. Pure.
#pragma once

#include <string>
#include <vector>

#include "client/cli/bench_report.h"

namespace sigserve::cli {

/// Latency (p50 and p99, logarithmic) over delivered calls/s, two lines per target.
std::string BenchSvg(const std::vector<BenchPoint>& points);

}  // namespace sigserve::cli
