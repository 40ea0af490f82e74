#include "client/cli/bench_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/writers.h"

namespace sigserve::cli {
namespace {

using nlohmann::ordered_json;

std::string CodeName(size_t code) {
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

std::string LoadText(const BenchPoint& point) {
  if (point.rate > 0) return absl::StrFormat("%.0f/s", point.rate);
  return absl::StrCat("C=", point.concurrency);
}

std::string ErrorsText(const BenchPoint& point) {
  std::string text;
  const auto add = [&text](const std::string& what, int64_t count) {
    if (count > 0) absl::StrAppend(&text, text.empty() ? "" : ", ", what, " ", count);
  };
  for (size_t code = 1; code < point.codes.size(); ++code) add(CodeName(code), point.codes[code]);
  if (!text.empty()) absl::StrAppendFormat(&text, " (p99 %.0f us)", point.figures.failure_p99);
  add("unanswered", point.unanswered);
  add("unsent", point.unsent);
  add("expired", point.expired);
  add("reconnects", point.reconnects);
  return text.empty() ? "none" : text;
}

Grid BenchGrid(const std::vector<BenchPoint>& points) {
  Grid grid{.names = {"target", "load", "calls/s", "rows/s", "p50 us", "p99 us", "p99.9 us",
                      "max us", "server us/call", "client busy", "errors"},
            .rows = {}};
  for (const BenchPoint& point : points) {
    const BenchFigures& f = point.figures;
    const auto micros = [](double us) { return absl::StrFormat("%.*f", us < 100 ? 1 : 0, us); };
    grid.rows.push_back(
        {point.target, LoadText(point), absl::StrFormat("%.0f", f.ok_per_second),
         absl::StrFormat("%.0f", f.ok_per_second * static_cast<double>(point.rows_per_call)),
         micros(f.p50), micros(f.p99), micros(f.p999), micros(f.max),
         f.server_cpu_per_call ? absl::StrFormat("%.2f", *f.server_cpu_per_call) : "-",
         absl::StrFormat("%.2f", f.client_busy), ErrorsText(point)});
  }
  return grid;
}

ordered_json PointJson(const BenchPoint& point) {
  const BenchFigures& f = point.figures;
  ordered_json root{{"target", point.target}};
  if (point.rate > 0) {
    root["offered_per_second"] = point.rate;
  } else {
    root["concurrency"] = point.concurrency;
  }
  root["runs"] = point.runs;
  root["rows_per_call"] = point.rows_per_call;
  root["ok_per_second"] = f.ok_per_second;
  root["latency_us"] = {{"mean", f.mean}, {"p50", f.p50},    {"p90", f.p90},
                        {"p99", f.p99},   {"p99.9", f.p999}, {"max", f.max}};
  root["failure_latency_us"] = {{"p50", f.failure_p50}, {"p99", f.failure_p99}};
  if (f.server_cpu_per_call) root["server_cpu_us_per_call"] = *f.server_cpu_per_call;
  root["client_busy"] = f.client_busy;
  ordered_json& codes = root["codes"] = ordered_json::object();
  for (size_t code = 0; code < point.codes.size(); ++code) {
    if (point.codes[code] > 0) codes[CodeName(code)] = point.codes[code];
  }
  root["unanswered"] = point.unanswered;
  root["unsent"] = point.unsent;
  root["expired"] = point.expired;
  root["reconnects"] = point.reconnects;
  return root;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

std::string Escape(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<') safe += "&lt;";
    if (c == '&') safe += "&amp;";
    if (c != '<' && c != '&') safe += c;
  }
  return safe;
}

}  // namespace

BenchFigures FiguresOf(const bench::LoadResult& result, std::optional<double> server_cpu_seconds) {
  const auto micros = [](const bench::LatencyHistogram& histogram, double q) {
    return static_cast<double>(histogram.Quantile(q)) / 1e3;
  };
  const auto quantile = [&](double q) { return micros(result.latency, q); };
  BenchFigures figures{.ok_per_second = result.ok_per_second,
                       .mean = result.latency.mean() / 1e3,
                       .p50 = quantile(0.5),
                       .p90 = quantile(0.9),
                       .p99 = quantile(0.99),
                       .p999 = quantile(0.999),
                       .max = static_cast<double>(result.latency.max()) / 1e3,
                       .failure_p50 = micros(result.failure_latency, 0.5),
                       .failure_p99 = micros(result.failure_latency, 0.99),
                       .client_busy = result.client_busy};
  if (server_cpu_seconds && result.answers_in_all > 0) {
    figures.server_cpu_per_call =
        *server_cpu_seconds * 1e6 / static_cast<double>(result.answers_in_all);
  }
  return figures;
}

BenchFigures MedianOf(const std::vector<BenchFigures>& all) {
  BenchFigures median;
  for (double BenchFigures::*figure :
       {&BenchFigures::ok_per_second, &BenchFigures::mean, &BenchFigures::p50, &BenchFigures::p90,
        &BenchFigures::p99, &BenchFigures::p999, &BenchFigures::max, &BenchFigures::failure_p50,
        &BenchFigures::failure_p99, &BenchFigures::client_busy}) {
    std::vector<double> values;
    values.reserve(all.size());
    for (const BenchFigures& one : all) values.push_back(one.*figure);
    median.*figure = Median(std::move(values));
  }
  std::vector<double> costs;
  for (const BenchFigures& one : all) {
    if (one.server_cpu_per_call) costs.push_back(*one.server_cpu_per_call);
  }
  if (!costs.empty()) median.server_cpu_per_call = Median(std::move(costs));
  return median;
}

void AddCounts(const bench::LoadResult& result, BenchPoint* point) {
  ++point->runs;
  for (size_t i = 0; i < point->codes.size(); ++i) point->codes[i] += result.codes[i];
  point->unanswered += result.unanswered;
  point->unsent += result.unsent;
  point->expired += result.expired;
  point->reconnects += result.reconnects;
}

void WriteBench(const std::vector<BenchPoint>& points, OutputFormat format, std::ostream& out) {
  if (format == OutputFormat::kJson) {
    ordered_json list = ordered_json::array();
    for (const BenchPoint& point : points) list.push_back(PointJson(point));
    out << ordered_json{{"points", list}}.dump(2) << "\n";
  } else if (format == OutputFormat::kCsv) {
    WriteCsv(BenchGrid(points), out);
  } else {
    WriteTable(BenchGrid(points), out);
  }
}

std::string BenchSvg(const std::vector<BenchPoint>& points) {
  constexpr double kLeft = 70;
  constexpr double kTop = 30;
  constexpr double kWidth = 640;
  constexpr double kHeight = 360;
  constexpr double kRight = 150;
  double most = 1;
  double low = 1e9;
  double high = 1;
  std::vector<std::string> targets;
  for (const BenchPoint& point : points) {
    most = std::max(most, point.figures.ok_per_second * 1.05);
    low = std::min(low, std::max(point.figures.p50, 0.1));
    high = std::max(high, point.figures.p99);
    if (std::find(targets.begin(), targets.end(), point.target) == targets.end()) {
      targets.push_back(point.target);
    }
  }
  const int first_decade = static_cast<int>(std::floor(std::log10(std::min(low, high))));
  const int last_decade = std::max(first_decade + 1, static_cast<int>(std::ceil(std::log10(high))));
  const auto x = [&](double calls) { return kLeft + kWidth * calls / most; };
  const auto y = [&](double us) {
    const double share = (std::log10(std::max(us, 0.1)) - first_decade) /
                         static_cast<double>(last_decade - first_decade);
    return kTop + kHeight * (1 - share);
  };

  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
      kLeft + kWidth + kRight, kTop + kHeight + 50);
  const auto text = [&svg](double at_x, double at_y, const char* anchor, const std::string& words) {
    absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", at_x,
                          at_y, anchor, Escape(words));
  };
  const auto line = [&svg](double x1, double y1, double x2, double y2) {
    absl::StrAppendFormat(
        &svg, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ccc\"/>\n", x1, y1,
        x2, y2);
  };
  for (int decade = first_decade; decade <= last_decade; ++decade) {
    const double us = std::pow(10, decade);
    line(kLeft, y(us), kLeft + kWidth, y(us));
    text(kLeft - 8, y(us) + 4, "end", absl::StrFormat("%g us", us));
  }
  for (int tick = 0; tick <= 4; ++tick) {
    const double calls = most * tick / 4;
    line(x(calls), kTop, x(calls), kTop + kHeight);
    text(x(calls), kTop + kHeight + 18, "middle", absl::StrFormat("%.0f", calls));
  }
  text(kLeft + kWidth / 2, kTop + kHeight + 40, "middle", "answered calls per second");
  text(kLeft, kTop - 12, "start", "latency");

  constexpr const char* kColours[] = {"#0b62a4", "#d1495b", "#2e8b57", "#7a5195"};
  double legend = kTop + 10;
  for (size_t t = 0; t < targets.size(); ++t) {
    const char* const colour = kColours[t % 4];
    for (const bool tail : {false, true}) {
      std::vector<std::pair<double, double>> at;
      for (const BenchPoint& point : points) {
        if (point.target != targets[t]) continue;
        at.emplace_back(x(point.figures.ok_per_second),
                        y(tail ? point.figures.p99 : point.figures.p50));
      }
      const char* const dash = tail ? " stroke-dasharray=\"5 4\"" : "";
      absl::StrAppendFormat(&svg, "<polyline fill=\"none\" stroke=\"%s\"%s points=\"", colour,
                            dash);
      for (const auto& [px, py] : at) absl::StrAppendFormat(&svg, "%.1f,%.1f ", px, py);
      absl::StrAppend(&svg, "\"/>\n");
      for (const auto& [px, py] : at) {
        absl::StrAppendFormat(&svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", px,
                              py, colour);
      }
      absl::StrAppendFormat(&svg,
                            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                            "stroke=\"%s\"%s/>\n",
                            kLeft + kWidth + 15, legend - 4, kLeft + kWidth + 45, legend - 4,
                            colour, dash);
      text(kLeft + kWidth + 52, legend, "start", absl::StrCat(targets[t], tail ? " p99" : " p50"));
      legend += 20;
    }
  }
  return svg + "</svg>\n";
}

}  // namespace sigserve::cli
