#include "client/cli/cmd_train.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/input_loader.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_report.h"
#include "client/cli/job_watch.h"
#include "client/cli/training_data.h"
#include "client/cli/verb.h"

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
  std::vector<std::string> label_columns;
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
  spec.label_names = flags.label_columns;
  return spec;
}

/// After Ctrl-C.
ExitCode Cancel(Context& context, client::Client& client, const std::string& job_id) {
  context.err() << "sigctl: interrupted; cancelling " << job_id << ", which will publish nothing\n";
  const auto job = client.CancelJob(job_id);
  if (!job.ok()) return context.ServerError(job.status());
  WriteJob(*job, context.options.output, context.out());
  return ExitCode::kServerError;
}

ExitCode Run(Context& context, const Flags& flags) {
  if (flags.optimizer.kind == OptimizerKind::kAdam && flags.optimizer.momentum != 0) {
    return context.UsageError("train: --momentum belongs to --optimizer sgd");
  }
  const auto data = LoadInput(flags.data, InputFormat::kCsv, {.label_columns = flags.label_columns},
                              context.in());
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

void AddOptimizerOptions(CLI::App* verb, OptimizerFlags* flags) {
  const std::map<std::string, OptimizerKind> kinds = {{"adam", OptimizerKind::kAdam},
                                                      {"sgd", OptimizerKind::kSgd}};
  verb->add_option("--optimizer", flags->kind, "adam (the default) or sgd")
      ->transform(CLI::CheckedTransformer(kinds).description(""))
      ->type_name("NAME");
  verb->add_option("--learning-rate", flags->learning_rate, "By default 0.001 (adam), 0.01 (sgd)")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("RATE");
  verb->add_option("--momentum", flags->momentum, "For sgd")->type_name("M");
  verb->add_option("--weight-decay", flags->weight_decay, "L2 penalty")->type_name("W");
}

void AddScheduleOptions(CLI::App* verb, client::Schedule* schedule) {
  verb->add_option("--epochs", schedule->epochs, "Passes over the rows; by default 10")
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("N");
  verb->add_option("--batch-size", schedule->batch_size, "Rows per step; by default all of them")
      ->check(CLI::NonNegativeNumber.description(""))
      ->type_name("N");
  verb->add_option("--seed", schedule->seed, "Same seed and data, same weights; by default 0")
      ->type_name("N");
  verb->add_option("--validation", schedule->validation_fraction,
                   "Share of the rows held out to validate, 0 to 0.9")
      ->check(CLI::Range(0.0, 0.9).description(""))
      ->type_name("SHARE");
  verb->add_flag("--keep-order", schedule->keep_order, "Do not shuffle the rows");
}

}  // namespace

void AddTrainCommand(CLI::App* app, Context* context) {
  CLI::App* verb = AddVerb(
      app, "train", "Train a classifier from a CSV and publish it as a new version",
      "  sigctl train breast_cancer --data train.csv --label-column label \\\n"
      "      --hidden 32 --epochs 15 --batch-size 32 --learning-rate 0.01 --validation 0.2\n"
      "\n"
      "Labels are 0 or 1. Ctrl-C cancels the job; exit code 1 then, and if it fails.");
  const auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL", flags->spec.model_name, "The model to publish; new ones are created")
      ->required();
  verb->add_option("--data,-d", flags->data, "CSV with features and labels; - is standard input")
      ->required()
      ->type_name("FILE");
  verb->add_option("--label-column,-l", flags->label_columns,
                   "The label's column (name, or number from 1); several for several labels: a,b")
      ->required()
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME");
  verb->add_option("--hidden", flags->spec.hidden_units,
                   "Units of each hidden layer: 128,64; none for logistic regression")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::PositiveNumber.description(""))
      ->type_name("UNITS");
  const std::map<std::string, client::Activation> activations = {
      {"relu", client::Activation::kRelu},
      {"tanh", client::Activation::kTanh},
      {"sigmoid", client::Activation::kSigmoid}};
  verb->add_option("--activation", flags->spec.activation, "relu (the default), tanh or sigmoid")
      ->transform(CLI::CheckedTransformer(activations).description(""))
      ->type_name("NAME");
  AddOptimizerOptions(verb, &flags->optimizer);
  AddScheduleOptions(verb, &flags->spec.schedule);
  verb->add_flag("--no-standardize", flags->no_standardize,
                 "Do not fold (x - mean) / stddev of the rows into the model");
  verb->add_flag("--detach", flags->detach, "Do not wait for the job");
  OnChosen(verb, context, [flags](Context& c) { return Run(c, *flags); });
}

}  // namespace sigserve::cli
