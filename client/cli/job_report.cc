#include "client/cli/job_report.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/json_writer.h"
#include "client/cli/writers.h"

namespace sigserve::cli {
namespace {

using client::Job;

void WriteEpochJson(const client::EpochMetrics& epoch, JsonWriter* json) {
  json->BeginObject();
  json->Key("epoch").Integer(epoch.epoch);
  json->Key("training_loss").Number(epoch.training_loss);
  if (epoch.validation_loss) json->Key("validation_loss").Number(*epoch.validation_loss);
  if (epoch.validation_accuracy) {
    json->Key("validation_accuracy").Number(*epoch.validation_accuracy);
  }
  if (epoch.validation_roc_auc) json->Key("validation_roc_auc").Number(*epoch.validation_roc_auc);
  json->Key("elapsed_seconds").Number(epoch.elapsed_seconds);
  json->EndObject();
}

void WriteJobJson(const Job& job, JsonWriter* json) {
  json->BeginObject();
  json->Key("job_id").Text(job.job_id);
  json->Key("model").Text(job.model_name);
  json->Key("state").Text(StateText(job.state));
  json->Key("epochs_done").Integer(job.epochs_done);
  json->Key("epochs_total").Integer(job.epochs_total);
  json->Key("published_version").Integer(job.published_version);
  json->Key("training_rows").Integer(job.training_rows);
  json->Key("validation_rows").Integer(job.validation_rows);
  json->Key("seed").Unsigned(job.seed);
  json->Key("created_unix_ms").Integer(job.created_unix_ms);
  json->Key("started_unix_ms").Integer(job.started_unix_ms);
  json->Key("ended_unix_ms").Integer(job.ended_unix_ms);
  if (!job.message.empty()) json->Key("message").Text(job.message);
  if (job.last_epoch) {
    json->Key("last_epoch");
    WriteEpochJson(*job.last_epoch, json);
  }
  json->EndObject();
}

std::string Number(const std::optional<double>& value, const char* absent) {
  return value ? absl::StrFormat("%.6f", *value) : absent;
}

Grid JobsGrid(const std::vector<Job>& jobs) {
  Grid grid{.names = {"job", "model", "state", "epochs", "training loss", "validation loss",
                      "ROC-AUC", "version", "created", "message"},
            .rows = {}};
  for (const Job& job : jobs) {
    const client::EpochMetrics epoch = job.last_epoch.value_or(client::EpochMetrics{});
    grid.rows.push_back({job.job_id, job.model_name, StateText(job.state),
                         absl::StrCat(job.epochs_done, "/", job.epochs_total),
                         job.last_epoch ? Number(epoch.training_loss, "-") : "-",
                         Number(epoch.validation_loss, "-"), Number(epoch.validation_roc_auc, "-"),
                         job.published_version == 0 ? "-" : absl::StrCat(job.published_version),
                         TimeText(job.created_unix_ms), job.message});
  }
  return grid;
}

/// "published breast_cancer version 2 after 3.2 s", or the state and the progress so far.
std::string Headline(const Job& job) {
  if (job.state == client::JobState::kSucceeded) {
    const auto ms = static_cast<double>(job.ended_unix_ms - job.started_unix_ms);
    return absl::StrCat("published ", job.model_name, " version ", job.published_version, " after ",
                        DurationText(ms / 1000));
  }
  std::string text =
      absl::StrCat(StateText(job.state), ", epoch ", job.epochs_done, " of ", job.epochs_total);
  if (!job.message.empty()) absl::StrAppend(&text, ": ", job.message);
  if (client::HasEnded(job.state)) absl::StrAppend(&text, "; nothing was published");
  return text;
}

void WriteText(const Job& job, std::ostream& out) {
  out << job.job_id << ": " << Headline(job) << "\n";
  const auto add = [&out](const char* name, const std::string& value) {
    out << absl::StrFormat("  %-19s  %s\n", name, value);
  };
  add("rows", absl::StrCat(job.training_rows, " training, ", job.validation_rows, " validation"));
  add("seed", absl::StrCat(job.seed));
  if (job.last_epoch) {
    add("training loss", Number(job.last_epoch->training_loss, ""));
    if (job.last_epoch->validation_loss) {
      add("validation loss", Number(job.last_epoch->validation_loss, ""));
      add("validation accuracy", Number(job.last_epoch->validation_accuracy, "-"));
      add("validation ROC-AUC", Number(job.last_epoch->validation_roc_auc, "- (one class only)"));
    }
  }
}

}  // namespace

std::string StateText(client::JobState state) {
  switch (state) {
    case client::JobState::kQueued:
      return "QUEUED";
    case client::JobState::kRunning:
      return "RUNNING";
    case client::JobState::kSucceeded:
      return "SUCCEEDED";
    case client::JobState::kFailed:
      return "FAILED";
    case client::JobState::kCancelled:
      return "CANCELLED";
    case client::JobState::kUnspecified:
      break;
  }
  return "UNKNOWN";
}

void WriteJobs(const std::vector<Job>& jobs, const OutputStyle& style, std::ostream& out) {
  if (style.format == OutputFormat::kJson) {
    JsonWriter json(out, JsonWriter::Style::kIndented);
    json.BeginObject().Key("jobs").BeginArray();
    for (const Job& job : jobs) WriteJobJson(job, &json);
    json.EndArray().EndObject();
    out << "\n";
  } else if (style.format == OutputFormat::kCsv) {
    WriteCsv(JobsGrid(jobs), out);
  } else if (jobs.empty()) {
    out << "no training jobs\n";
  } else {
    WriteTable(JobsGrid(jobs), style.columns, out);
  }
}

void WriteJob(const Job& job, const OutputStyle& style, std::ostream& out) {
  if (style.format == OutputFormat::kJson) {
    JsonWriter json(out, JsonWriter::Style::kIndented);
    WriteJobJson(job, &json);
    out << "\n";
  } else if (style.format == OutputFormat::kCsv) {
    WriteCsv(JobsGrid({job}), out);
  } else {
    WriteText(job, out);
  }
}

}  // namespace sigserve::cli
