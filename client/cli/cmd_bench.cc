// sigctl bench: puts load on a server and reports throughput, latency and cost.
#include <algorithm>
#include <fstream>
#include <limits>
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
#include "client/bench/workload.h"
#include "client/cli/bench_plot.h"
#include "client/cli/bench_report.h"
#include "client/cli/bench_runs.h"
#include "client/cli/option_values.h"
#include "client/cli/verbs.h"
#include "client/status_macros.h"

namespace sigserve::cli {
namespace {

// A server keeps up if it answers at least this share of the offered calls.
constexpr double kKeepsUp = 0.98;
constexpr int64_t kMaxConcurrency = 1000000;
constexpr int64_t kMaxRows = 1 << 20;

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

struct BackgroundFlags {
  std::string model;
  std::optional<int64_t> concurrency;
  std::optional<int64_t> rows;
};

struct Flags {
  ModelFlags model;
  BackgroundFlags background;
  bench::WorkloadOptions workload;
  LoadFlags load;
  SaturationFlags saturation;
  TargetFlags target;
  std::string svg;
};

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
          absl::StrCat("'", text, "': the weight is not a number above 0"));
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
  std::vector<Target> targets = {
      {.name = "server",
       .address = context.options.address,
       .workload = workload,
       .background = {},
       .background_concurrency = flags.background.concurrency.value_or(4),
       .metrics_address = flags.target.metrics_address,
       .pid = flags.target.server_pid}};
  if (!flags.background.model.empty()) {
    CLIENT_ASSIGN_OR_RETURN(auto model, GetModel(client, flags.model, flags.background.model));
    bench::WorkloadOptions options = flags.workload;
    options.rows = flags.background.rows.value_or(1);
    CLIENT_ASSIGN_OR_RETURN(targets[0].background,
                            bench::MakeWorkload({std::move(model)}, options));
  }
  if (!flags.target.echo_address.empty()) {
    if (flags.workload.stream) workload.matching = bench::Matching::kInOrder;
    targets.push_back({.name = "echo",
                       .address = flags.target.echo_address,
                       .workload = std::move(workload),
                       .background = {},
                       .metrics_address = {},
                       .pid = flags.target.echo_pid});
  }
  return targets;
}

/// Options that contradict each other; empty if none do.
std::string Conflict(const Context& context, const Flags& flags) {
  if (context.options.use_tls()) {
    return "bench does not support TLS; --no-tls ignores the environment's TLS options";
  }
  if (!flags.load.rates.empty() && !flags.load.concurrency.empty()) {
    return "--rate and --concurrency exclude each other";
  }
  const BackgroundFlags& background = flags.background;
  if (background.model.empty() && (background.concurrency || background.rows)) {
    return "--background-concurrency and --background-rows need --background";
  }
  if (!background.model.empty() && !flags.target.echo_address.empty()) {
    return "--background and --echo exclude each other";
  }
  return "";
}

ExitCode Run(Context& context, const Flags& flags) {
  const std::string conflict = Conflict(context, flags);
  if (!conflict.empty()) return context.UsageError(absl::StrCat("bench: ", conflict));
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto targets = MakeTargets(context, *client, flags);
  if (absl::IsInvalidArgument(targets.status())) {
    return context.UsageError(absl::StrCat("bench: ", targets.status().message()));
  }
  if (!targets.ok()) return context.ServerError(targets.status());
  const auto points = MeasureAll(context, flags, *targets);
  if (!points.ok()) return context.ServerError(points.status());
  WriteBench(*points, context.style(), context.out());
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

std::vector<Option> WorkloadOptions(Flags* flags) {
  return {
      {.name = "MODEL",
       .help = "Models to call; NAME=WEIGHT for unequal shares",
       .set = AddText(&flags->model.models),
       .required = true,
       .repeatable = true},
      {.name = "--api",
       .value = "NAME",
       .help = "sigserve (Predict, the default) or oip (ModelInfer with raw contents)",
       .set = ToChoice<bench::Api>(&flags->workload.api, {{"sigserve", bench::Api::kSigserve},
                                                          {"oip", bench::Api::kOpenInference}})},
      {.name = "--stream",
       .help = "One stream per connection instead of unary calls",
       .set = ToFlag(&flags->workload.stream)},
      {.name = "--rows",
       .value = "N",
       .help = "Rows in each request; by default 1",
       .set = ToInteger(&flags->workload.rows, 1, kMaxRows)},
      {.name = "--seed",
       .value = "N",
       .help = "Seed of the rows and of the arrivals; by default 1",
       .set = ToUnsigned(&flags->workload.seed)},
      {.name = "--features",
       .value = "N",
       .help = "Width of the models' one FLOAT32 input, instead of asking the server",
       .set = ToInteger(&flags->model.features, 1, kMaxRows)},
      {.name = "--input-name",
       .value = "NAME",
       .help = "With --features; by default input",
       .set = ToText(&flags->model.input_name)},
  };
}

std::vector<Option> LoadOptions(LoadFlags* flags) {
  return {
      {.name = "--concurrency",
       .short_name = "-c",
       .value = "N",
       .help = "Calls kept in flight, 1,8,64 for several loads; by default 1,8,64,256",
       .set = AddIntegers(&flags->concurrency, 1, kMaxConcurrency),
       .repeatable = true},
      {.name = "--rate",
       .short_name = "-r",
       .value = "RATE",
       .help = "Open loop: calls due per second, independent of earlier answers; several as in 1,2",
       .set = AddNumbers(&flags->rates, {.min = 0.1, .max = 1e7}),
       .repeatable = true},
      {.name = "--connections",
       .value = "N",
       .help = "By default 8; at most one per call in flight",
       .set = ToInteger(&flags->options.connections, 1, 10000)},
      {.name = "--deadline",
       .value = "MS",
       .help = "Deadline of each call; by default none",
       .set = ToInteger(&flags->options.deadline_ms, 1, 99999999)},
      {.name = "--warmup",
       .value = "SECONDS",
       .help = "Time before the measurement; by default 0.5",
       .set = ToNumber(&flags->options.warmup_s, {.min = 0, .max = 600})},
      {.name = "--duration",
       .value = "SECONDS",
       .help = "Length of each run; by default 3",
       .set = ToNumber(&flags->options.duration_s, {.min = 0.01, .max = 3600})},
      {.name = "--repeat",
       .value = "N",
       .help = "Runs of each load, of which medians are shown; by default 1",
       .set = ToInteger(&flags->repeat, 1, 1000)},
  };
}

std::vector<Option> BackgroundOptions(BackgroundFlags* flags) {
  return {
      {.name = "--background",
       .value = "MODEL",
       .help = "Background load: keep calls of this model in flight, reported on a line of its own",
       .set = ToText(&flags->model)},
      {.name = "--background-concurrency",
       .value = "N",
       .help = "Background calls in flight; by default 4",
       .set = ToInteger(&flags->concurrency, 1, kMaxConcurrency)},
      {.name = "--background-rows",
       .value = "N",
       .help = "Rows in each background request; by default 1",
       .set = ToInteger(&flags->rows, 1, kMaxRows)},
  };
}

std::vector<Option> TargetOptions(TargetFlags* flags) {
  return {
      {.name = "--metrics-address",
       .value = "HOST:PORT",
       .help = "The server's /metrics, for its CPU time per call",
       .set = ToText(&flags->metrics_address)},
      {.name = "--server-pid",
       .value = "PID",
       .help = "The same from /proc, for a server on this machine",
       .set = ToInteger(&flags->server_pid, 1, std::numeric_limits<int>::max())},
      {.name = "--echo",
       .value = "HOST:PORT",
       .help = "Also measure this bare transport, by turns with the server",
       .set = ToText(&flags->echo_address)},
      {.name = "--echo-pid",
       .value = "PID",
       .help = "Process of --echo, for its CPU time per call",
       .set = ToInteger(&flags->echo_pid, 1, std::numeric_limits<int>::max())},
  };
}

std::vector<Option> ReportOptions(Flags* flags) {
  return {
      {.name = "--find-saturation",
       .help = "Search the highest rate of which 98 % are answered within --max-p99",
       .set = ToFlag(&flags->saturation.find)},
      {.name = "--max-p99",
       .value = "MS",
       .help = "By default 10",
       .set = ToNumber(&flags->saturation.max_p99_ms, {.min = 0, .min_excluded = true})},
      {.name = "--svg",
       .value = "FILE",
       .help = "Also plot latency over throughput",
       .set = ToText(&flags->svg)},
  };
}

}  // namespace

Verb BenchVerb() {
  const auto flags = std::make_shared<Flags>();
  flags->load.options.connections = 8;
  Verb verb{
      .name = "bench",
      .summary = "Put load on a server; measure calls per second, latency and cost",
      .example =
          "  taskset -c 1 sigctl bench breast_cancer --concurrency 1,8,64,256 --repeat 3\n"
          "  sigctl bench breast_cancer --rate 20000,40000 --svg latency.svg\n"
          "  sigctl bench small --rate 2000 --background heavy --background-rows 32\n"
          "  sigctl bench breast_cancer --find-saturation --metrics-address 127.0.0.1:8002\n"
          "\n"
          "bench polls on one core; do not share that core with the server. If client busy is\n"
          "near 1, the client was the limit. Latency counts from when a call was due, without\n"
          "failed calls; expired: the deadline passed before the call could be sent.",
      .run = [flags](Context& context) {
        flags->load.options.seed = flags->workload.seed;
        return Run(context, *flags);
      }};
  for (const auto& options : {WorkloadOptions(flags.get()), LoadOptions(&flags->load),
                              BackgroundOptions(&flags->background), TargetOptions(&flags->target),
                              ReportOptions(flags.get())}) {
    verb.options.insert(verb.options.end(), options.begin(), options.end());
  }
  return verb;
}

}  // namespace sigserve::cli
