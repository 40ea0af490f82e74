#include "client/cli/bench_report.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/json_writer.h"
#include "client/cli/writers.h"

namespace sigserve::cli {
namespace {

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

void WriteLatencies(const BenchFigures& f, JsonWriter* json) {
  json->Key("latency_us").BeginObject();
  json->Key("mean").Number(f.mean);
  json->Key("p50").Number(f.p50);
  json->Key("p90").Number(f.p90);
  json->Key("p99").Number(f.p99);
  json->Key("p99.9").Number(f.p999);
  json->Key("max").Number(f.max);
  json->EndObject();
  json->Key("failure_latency_us").BeginObject();
  json->Key("p50").Number(f.failure_p50);
  json->Key("p99").Number(f.failure_p99);
  json->EndObject();
}

void WritePoint(const BenchPoint& point, JsonWriter* json) {
  const BenchFigures& f = point.figures;
  json->BeginObject();
  json->Key("target").Text(point.target);
  if (point.rate > 0) {
    json->Key("offered_per_second").Number(point.rate);
  } else {
    json->Key("concurrency").Integer(point.concurrency);
  }
  json->Key("runs").Integer(point.runs);
  json->Key("rows_per_call").Integer(point.rows_per_call);
  json->Key("ok_per_second").Number(f.ok_per_second);
  WriteLatencies(f, json);
  if (f.server_cpu_per_call) json->Key("server_cpu_us_per_call").Number(*f.server_cpu_per_call);
  json->Key("client_busy").Number(f.client_busy);
  json->Key("codes").BeginObject();
  for (size_t code = 0; code < point.codes.size(); ++code) {
    if (point.codes[code] > 0) json->Key(CodeName(code)).Integer(point.codes[code]);
  }
  json->EndObject();
  json->Key("unanswered").Integer(point.unanswered);
  json->Key("unsent").Integer(point.unsent);
  json->Key("expired").Integer(point.expired);
  json->Key("reconnects").Integer(point.reconnects);
  json->EndObject();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
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

void WriteBench(const std::vector<BenchPoint>& points, const OutputStyle& style,
                std::ostream& out) {
  if (style.format == OutputFormat::kJson) {
    JsonWriter json(out, JsonWriter::Style::kIndented);
    json.BeginObject().Key("points").BeginArray();
    for (const BenchPoint& point : points) WritePoint(point, &json);
    json.EndArray().EndObject();
    out << "\n";
  } else if (style.format == OutputFormat::kCsv) {
    WriteCsv(BenchGrid(points), out);
  } else {
    WriteTable(BenchGrid(points), style.columns, out);
  }
}

}  // namespace sigserve::cli
