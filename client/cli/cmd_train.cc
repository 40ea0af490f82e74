// sigctl train: sends labelled rows, follows the job, shows the published version.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/column_options.h"
#include "client/cli/input_loader.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_report.h"
#include "client/cli/job_watch.h"
#include "client/cli/option_values.h"
#include "client/cli/training_data.h"
#include "client/cli/verbs.h"

namespace sigserve::cli {
namespace {

enum class OptimizerKind { kAdam, kSgd };

struct OptimizerFlags {
  OptimizerKind kind = OptimizerKind::kAdam;
  std::optional<double> learning_rate;
  double momentum = 0;
  double weight_decay = 0;
};

struct Flags {
  std::string data;
  CsvOptions csv;
  client::TrainSpec spec;
  OptimizerFlags optimizer;
  bool no_standardize = false;
  bool detach = false;
};

client::TrainSpec ToSpec(const Flags& flags) {
  client::TrainSpec spec = flags.spec;
  const OptimizerFlags& optimizer = flags.optimizer;
  if (optimizer.kind == OptimizerKind::kSgd) {
    spec.optimizer = client::Sgd{.learning_rate = optimizer.learning_rate,
                                 .momentum = optimizer.momentum,
                                 .weight_decay = optimizer.weight_decay};
  } else {
    spec.optimizer = client::Adam{.learning_rate = optimizer.learning_rate,
                                  .weight_decay = optimizer.weight_decay};
  }
  spec.standardize = !flags.no_standardize;
  spec.label_names = flags.csv.label_columns;
  return spec;
}

/// After Ctrl-C.
ExitCode Cancel(Context& context, client::Client& client, const std::string& job_id) {
  context.err() << "sigctl: interrupted; cancelling " << job_id << ", which will publish nothing\n";
  const auto job = client.CancelJob(job_id);
  if (!job.ok()) return context.ServerError(job.status());
  WriteJob(*job, context.style(), context.out());
  return ExitCode::kServerError;
}

ExitCode Run(Context& context, const Flags& flags) {
  if (flags.optimizer.kind == OptimizerKind::kAdam && flags.optimizer.momentum != 0) {
    return context.UsageError("train: --momentum belongs to --optimizer sgd");
  }
  const auto data = LoadInput(flags.data, InputFormat::kCsv, flags.csv, context.in());
  if (!data.ok()) return context.UsageError(data.status().message());
  const auto rows = ToLabelledRows(*data);
  if (!rows.ok()) return context.UsageError(rows.status().message());

  const Interrupt interrupt;  // before Connect, which starts gRPC's threads
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto receipt = client->Train(ToSpec(flags), {.features = rows->features,
                                                     .feature_count = rows->feature_count,
                                                     .labels = rows->labels,
                                                     .label_count = rows->label_count});
  if (!receipt.ok()) return context.ServerError(receipt.status());
  context.err() << receipt->job_id << ": " << receipt->rows << " rows sent\n";
  if (flags.detach) {
    const auto job = client->GetJob(receipt->job_id);
    if (!job.ok()) return context.ServerError(job.status());
    context.err() << "follow it with: sigctl job " << receipt->job_id << " --watch\n";
    return ReportJob(context, *job);
  }
  const auto job = WatchToEnd(context, *client, receipt->job_id, interrupt.token());
  if (interrupt.token().stop_requested()) return Cancel(context, *client, receipt->job_id);
  if (!job.ok()) return context.ServerError(job.status());
  return ReportJob(context, *job);
}

std::vector<Option> DataOptions(Flags* flags) {
  return {
      {.name = "MODEL",
       .help = "The model to publish; it is created if it does not exist",
       .set = ToText(&flags->spec.model_name),
       .required = true},
      {.name = "--data",
       .short_name = "-d",
       .value = "FILE",
       .help = "CSV with features and labels; - is standard input",
       .set = ToText(&flags->data),
       .required = true},
      {.name = "--label-column",
       .short_name = "-l",
       .value = "NAME",
       .help = "The label's column, by name or by number from 1; for several labels a,b",
       .set = AddTexts(&flags->csv.label_columns),
       .required = true,
       .repeatable = true},
  };
}

std::vector<Option> ModelOptions(client::TrainSpec* spec) {
  return {
      {.name = "--hidden",
       .value = "UNITS",
       .help = "Units of each hidden layer, as in 128,64; none for logistic regression",
       .set = AddIntegers(&spec->hidden_units, 1),
       .repeatable = true},
      {.name = "--activation",
       .value = "NAME",
       .help = "relu (the default), tanh or sigmoid",
       .set = ToChoice<client::Activation>(&spec->activation,
                                           {{"relu", client::Activation::kRelu},
                                            {"tanh", client::Activation::kTanh},
                                            {"sigmoid", client::Activation::kSigmoid}})},
  };
}

std::vector<Option> OptimizerOptions(OptimizerFlags* flags) {
  return {
      {.name = "--optimizer",
       .value = "NAME",
       .help = "adam (the default) or sgd",
       .set = ToChoice<OptimizerKind>(
           &flags->kind, {{"adam", OptimizerKind::kAdam}, {"sgd", OptimizerKind::kSgd}})},
      {.name = "--learning-rate",
       .value = "RATE",
       .help = "By default 0.001 (adam) or 0.01 (sgd)",
       .set = ToNumber(&flags->learning_rate, {.min = 0, .min_excluded = true})},
      {.name = "--momentum",
       .value = "M",
       .help = "For sgd, 0 (the default) to 1",
       .set = ToNumber(&flags->momentum, {.min = 0, .max = 1})},
      {.name = "--weight-decay",
       .value = "W",
       .help = "L2 penalty; by default 0",
       .set = ToNumber(&flags->weight_decay, {.min = 0})},
  };
}

std::vector<Option> ScheduleOptions(client::Schedule* schedule) {
  return {
      {.name = "--epochs",
       .value = "N",
       .help = "Passes over the rows; by default 10",
       .set = ToInteger(&schedule->epochs, 1)},
      {.name = "--batch-size",
       .value = "N",
       .help = "Rows per step; by default all of them",
       .set = ToInteger(&schedule->batch_size, 0)},
      {.name = "--seed",
       .value = "N",
       .help = "The same seed and data give the same weights; by default 0",
       .set = ToUnsigned(&schedule->seed)},
      {.name = "--validation",
       .value = "SHARE",
       .help = "Share of the rows held out for validation, 0 to 0.9; by default 0",
       .set = ToNumber(&schedule->validation_fraction, {.min = 0, .max = 0.9})},
      {.name = "--keep-order",
       .help = "Do not shuffle the rows",
       .set = ToFlag(&schedule->keep_order)},
  };
}

}  // namespace

Verb TrainVerb() {
  const auto flags = std::make_shared<Flags>();
  Verb verb{.name = "train",
            .summary = "Train a classifier from a CSV and publish it as a new version",
            .example =
                "  sigctl train breast_cancer --data train.csv --label-column label \\\n"
                "      --hidden 32 --epochs 15 --batch-size 32 --learning-rate 0.01 "
                "--validation 0.2\n"
                "\n"
                "Labels are 1 or 0, true or false, yes or no. Ctrl-C cancels the job. Exit code 1\n"
                "if the job fails or is cancelled.",
            .run = [flags](Context& context) { return Run(context, *flags); }};
  const auto add = [&verb](std::vector<Option> options) {
    verb.options.insert(verb.options.end(), options.begin(), options.end());
  };
  add(DataOptions(flags.get()));
  add(ColumnOptions(&flags->csv));
  add(ModelOptions(&flags->spec));
  add(OptimizerOptions(&flags->optimizer));
  add(ScheduleOptions(&flags->spec.schedule));
  add({{.name = "--no-standardize",
        .help = "Do not fold (x - mean) / stddev of the rows into the model",
        .set = ToFlag(&flags->no_standardize)},
       {.name = "--detach", .help = "Do not wait for the job", .set = ToFlag(&flags->detach)}});
  return verb;
}

}  // namespace sigserve::cli
