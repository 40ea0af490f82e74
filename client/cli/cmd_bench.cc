#include "client/cli/cmd_bench.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/bench/load_run.h"
#include "client/bench/saturation.h"
#include "client/bench/server_cpu.h"
#include "client/bench/workload.h"
#include "client/cli/bench_report.h"
#include "client/cli/verb.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

// A server keeps up that answers this share of what is offered.
constexpr double kKeepsUp = 0.98;

struct ModelFlags {
  std::vector<std::string> models;  // NAME or NAME=WEIGHT
  int64_t features = 0;
  std::string input_name = "input";
};

struct LoadFlags {
  std::vector<int64_t> concurrency;
  std::vector<double> rates;
  bench::LoadOptions options;
  int repeat = 1;
};

struct SaturationFlags {
  bool find = false;
  double max_p99_ms = 10;
};

struct TargetFlags {
  std::string metrics_address;
  int server_pid = 0;
  std::string echo_address;
  int echo_pid = 0;
};

struct BesideFlags {
  std::string model;
  int64_t concurrency = 4;
  int64_t rows = 1;
};

struct Flags {
  ModelFlags model;
  BesideFlags beside;
  bench::WorkloadOptions workload;
  LoadFlags load;
  SaturationFlags saturation;
  TargetFlags target;
  std::string svg;
};

struct Target {
  std::string name;
  std::string address;
  bench::Workload workload;
  std::optional<bench::Workload> beside;
  int64_t beside_concurrency = 0;
  std::string metrics_address;
  int pid = 0;
};

absl::StatusOr<std::optional<double>> ReadCpu(const Target& target) {
  // Nobody can say which call took how much of a time that two kinds share.
  if (target.beside || (target.pid == 0 && target.metrics_address.empty())) {
    return std::optional<double>();
  }
  CLIENT_ASSIGN_OR_RETURN(const double seconds,
                          target.pid != 0 ? bench::CpuSecondsOfProcess(target.pid)
                                          : bench::CpuSecondsFromMetrics(target.metrics_address));
  return std::optional<double>(seconds);
}

/// What the runs of one load on one target gave.
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
                     Measured* beside) {
  options.address = target.address;
  CLIENT_ASSIGN_OR_RETURN(const auto before, ReadCpu(target));
  CLIENT_ASSIGN_OR_RETURN(const bench::LoadResult result,
                          bench::RunLoad(options, target.workload,
                                         {.workload = target.beside ? &*target.beside : nullptr,
                                          .concurrency = target.beside_concurrency}));
  CLIENT_ASSIGN_OR_RETURN(const auto after, ReadCpu(target));
  measured->Add(result, before && after ? std::optional<double>(*after - *before) : std::nullopt);
  for (const bench::LoadResult& other : result.beside) beside->Add(other, std::nullopt);
  return absl::OkStatus();
}

/// One load on all targets by turns, so that what disturbs the machine disturbs all alike; then
/// what was beside it.
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
    all.push_back({.point = {.target = "beside",
                             .concurrency = target.beside_concurrency,
                             .rows_per_call = target.beside ? target.beside->rows : 0}});
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

absl::StatusOr<bench::WeightedModel> GetModel(client::Client& client, const ModelFlags& flags,
                                              const std::string& text) {
  bench::WeightedModel model;
  std::string name = text;
  const size_t equals = text.rfind('=');
  if (equals != std::string::npos) {
    name = text.substr(0, equals);
    if (!absl::SimpleAtod(text.substr(equals + 1), &model.weight) || !(model.weight > 0) ||
        model.weight > 1e9) {
      return absl::InvalidArgumentError(
          absl::StrCat("bench: '", text, "': the weight is a number above 0"));
    }
  }
  if (flags.features == 0) {
    CLIENT_ASSIGN_OR_RETURN(model.info, client.GetModel({.name = name}));
    return model;
  }
  model.info.name = name;
  model.info.inputs = {{.name = flags.input_name,
                        .dtype = client::DataType::kFloat32,
                        .shape = {-1, flags.features}}};
  return model;
}

/// The loads to measure, in the order given.
std::vector<bench::LoadOptions> Loads(const LoadFlags& flags) {
  std::vector<bench::LoadOptions> loads;
  bench::LoadOptions one = flags.options;
  for (const double rate : flags.rates) {
    one.rate = rate;
    loads.push_back(one);
  }
  one.rate = 0;
  std::vector<int64_t> concurrency = flags.concurrency;
  if (flags.rates.empty() && concurrency.empty()) concurrency = {1, 8, 64, 256};
  for (const int64_t c : concurrency) {
    one.concurrency = c;
    loads.push_back(one);
  }
  return loads;
}

absl::StatusOr<std::vector<BenchPoint>> MeasureAll(Context& context, const Flags& flags,
                                                   const std::vector<Target>& targets) {
  std::vector<BenchPoint> points;
  const auto measure = [&](const bench::LoadOptions& options) -> absl::Status {
    CLIENT_ASSIGN_OR_RETURN(const auto measured, MeasurePoint(targets, options, flags.load.repeat));
    for (const BenchPoint& point : measured) {
      context.err() << absl::StrFormat("%s: %.0f calls/s, p50 %.1f us, p99 %.1f us\n", point.target,
                                       point.figures.ok_per_second, point.figures.p50,
                                       point.figures.p99);
    }
    points.insert(points.end(), measured.begin(), measured.end());
    return absl::OkStatus();
  };
  if (!flags.saturation.find) {
    for (const bench::LoadOptions& options : Loads(flags.load)) {
      CLIENT_RETURN_IF_ERROR(measure(options));
    }
    return points;
  }
  CLIENT_ASSIGN_OR_RETURN(const double rate,
                          bench::FindSaturation({}, [&](double offered) -> absl::StatusOr<bool> {
                            bench::LoadOptions options = flags.load.options;
                            options.rate = offered;
                            const size_t before = points.size();
                            CLIENT_RETURN_IF_ERROR(measure(options));
                            const BenchFigures& server = points[before].figures;
                            return server.ok_per_second >= kKeepsUp * offered &&
                                   server.p99 <= flags.saturation.max_p99_ms * 1e3;
                          }));
  context.err() << absl::StrFormat("saturation: %.0f calls/s with a p99 of at most %g ms\n", rate,
                                   flags.saturation.max_p99_ms);
  return points;
}

absl::StatusOr<std::vector<Target>> MakeTargets(Context& context, client::Client& client,
                                                const Flags& flags) {
  std::vector<bench::WeightedModel> models;
  for (const std::string& text : flags.model.models) {
    CLIENT_ASSIGN_OR_RETURN(auto model, GetModel(client, flags.model, text));
    models.push_back(std::move(model));
  }
  CLIENT_ASSIGN_OR_RETURN(bench::Workload workload, bench::MakeWorkload(models, flags.workload));
  std::vector<Target> targets = {{.name = "server",
                                  .address = context.options.address,
                                  .workload = workload,
                                  .beside = {},
                                  .beside_concurrency = flags.beside.concurrency,
                                  .metrics_address = flags.target.metrics_address,
                                  .pid = flags.target.server_pid}};
  if (!flags.beside.model.empty()) {
    CLIENT_ASSIGN_OR_RETURN(auto model, GetModel(client, flags.model, flags.beside.model));
    bench::WorkloadOptions options = flags.workload;
    options.rows = flags.beside.rows;
    CLIENT_ASSIGN_OR_RETURN(targets[0].beside, bench::MakeWorkload({std::move(model)}, options));
  }
  if (!flags.target.echo_address.empty()) {
    if (flags.workload.stream) workload.matching = bench::Matching::kInOrder;
    targets.push_back({.name = "echo",
                       .address = flags.target.echo_address,
                       .workload = std::move(workload),
                       .beside = {},
                       .metrics_address = {},
                       .pid = flags.target.echo_pid});
  }
  return targets;
}

ExitCode Run(Context& context, const Flags& flags) {
  if (context.options.use_tls()) {
    return context.UsageError("bench speaks no TLS; against a server without, say --no-tls");
  }
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto targets = MakeTargets(context, *client, flags);
  if (absl::IsInvalidArgument(targets.status())) {
    return context.UsageError(targets.status().message());
  }
  if (!targets.ok()) return context.ServerError(targets.status());
  const auto points = MeasureAll(context, flags, *targets);
  if (!points.ok()) return context.ServerError(points.status());
  WriteBench(*points, context.options.output, context.out());
  if (!flags.svg.empty()) {
    std::ofstream file(flags.svg, std::ios::binary);
    if (!(file << BenchSvg(*points)) || !file.flush()) {
      return context.UsageError(absl::StrCat(flags.svg, ": cannot be written"));
    }
  }
  const bool answered = std::all_of(points->begin(), points->end(),
                                    [](const BenchPoint& p) { return p.codes[0] > 0; });
  return answered ? ExitCode::kOk : ExitCode::kServerError;
}

void AddWorkloadOptions(CLI::App* verb, Flags* flags) {
  verb->add_option("MODEL", flags->model.models, "Models to ask; NAME=WEIGHT for unequal shares")
      ->required();
  const std::map<std::string, bench::Api> apis = {{"sigserve", bench::Api::kSigserve},
                                                  {"oip", bench::Api::kOpenInference}};
  verb->add_option("--api", flags->workload.api,
                   "sigserve (Predict, the default) or oip (ModelInfer, raw contents)")
      ->transform(CLI::CheckedTransformer(apis).description(""))
      ->type_name("NAME");
  verb->add_flag("--stream", flags->workload.stream, "One stream per connection, not unary calls");
  verb->add_option("--rows", flags->workload.rows, "Rows in each request; by default 1")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N");
  verb->add_option("--seed", flags->workload.seed, "Of the rows and the arrivals; by default 1")
      ->type_name("N");
  verb->add_option("--features", flags->model.features,
                   "Do not ask the server what the models take: one FLOAT32 input this wide")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N");
  verb->add_option("--input-name", flags->model.input_name, "With --features; by default input")
      ->type_name("NAME");
}

void AddLoadOptions(CLI::App* verb, LoadFlags* flags) {
  auto* concurrency =
      verb->add_option("--concurrency,-c", flags->concurrency,
                       "Calls kept in flight, 1,8,64 for several loads; by default 1,8,64,256")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->check(CLI::Range(1, 1000000).description(""))
          ->type_name("N");
  verb->add_option("--rate,-r", flags->rates,
                   "Open loop: calls due per second, whatever became of those before; or several")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(0.1, 1e7).description(""))
      ->excludes(concurrency)
      ->type_name("RATE");
  verb->add_option("--connections", flags->options.connections,
                   "By default 8; never more than calls in flight")
      ->check(CLI::Range(1, 10000).description(""))
      ->type_name("N");
  verb->add_option("--deadline", flags->options.deadline_ms, "Of each call; by default none")
      ->check(CLI::Range(1, 99999999).description(""))
      ->type_name("MS");
  verb->add_option("--warmup", flags->options.warmup_s, "Not counted; by default 0.5")
      ->check(CLI::Range(0.0, 600.0).description(""))
      ->type_name("SECONDS");
  verb->add_option("--duration", flags->options.duration_s, "Of each run; by default 3")
      ->check(CLI::Range(0.01, 3600.0).description(""))
      ->type_name("SECONDS");
  verb->add_option("--repeat", flags->repeat, "Runs of each load; medians are shown")
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("N");
}

void AddBesideOptions(CLI::App* verb, BesideFlags* flags) {
  verb->add_option("--beside", flags->model,
                   "Keep calls of this model in flight all the while, shown in a line of their own")
      ->type_name("MODEL");
  verb->add_option("--beside-concurrency", flags->concurrency, "How many; by default 4")
      ->needs("--beside")
      ->check(CLI::Range(1, 1000000).description(""))
      ->type_name("N");
  verb->add_option("--beside-rows", flags->rows, "Rows in each of them; by default 1")
      ->needs("--beside")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N");
}

void AddTargetOptions(CLI::App* verb, TargetFlags* flags) {
  verb->add_option("--metrics-address,--metrics_address", flags->metrics_address,
                   "The server's /metrics (HOST:PORT), for its CPU time per call")
      ->type_name("HOST:PORT");
  verb->add_option("--server-pid", flags->server_pid,
                   "The same from /proc, for a server on this machine")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("PID");
  verb->add_option("--echo", flags->echo_address,
                   "Measure this bare transport by turns with the server")
      ->excludes("--beside")
      ->type_name("HOST:PORT");
  verb->add_option("--echo-pid", flags->echo_pid, "Its process, for its CPU time per call")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("PID");
}

}  // namespace

void AddBenchCommand(CLI::App* app, Context* context) {
  CLI::App* verb = AddVerb(
      app, "bench", "Load a server and measure calls per second, latency and cost",
      "  taskset -c 1 sigctl bench breast_cancer --concurrency 1,8,64,256 --repeat 3\n"
      "  sigctl bench breast_cancer --rate 20000,40000 --svg latency.svg\n"
      "  sigctl bench small --rate 2000 --beside heavy --beside-rows 32\n"
      "  sigctl bench breast_cancer --find-saturation --metrics-address 127.0.0.1:8002\n"
      "\n"
      "It polls on one core: do not let the server share it. client busy near 1 means that the\n"
      "client was the limit. Latency counts from when a call was due, and leaves out calls that\n"
      "failed; expired: the deadline was over before the call could be sent.");
  const auto flags = std::make_shared<Flags>();
  flags->load.options.connections = 8;
  AddWorkloadOptions(verb, flags.get());
  AddLoadOptions(verb, &flags->load);
  AddBesideOptions(verb, &flags->beside);
  AddTargetOptions(verb, &flags->target);
  verb->add_flag("--find-saturation", flags->saturation.find,
                 "Search the highest rate that is answered at 98 % within --max-p99");
  verb->add_option("--max-p99", flags->saturation.max_p99_ms, "By default 10")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("MS");
  verb->add_option("--svg", flags->svg, "Also plot latency over throughput")->type_name("FILE");
  OnChosen(verb, context, [flags](Context& c) {
    flags->load.options.seed = flags->workload.seed;
    return Run(c, *flags);
  });
}

}  // namespace sigserve::cli
