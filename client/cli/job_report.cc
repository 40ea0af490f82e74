#include "client/cli/job_report.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/writers.h"

namespace sigserve::cli {
namespace {

using client::Job;
using nlohmann::ordered_json;

ordered_json JobJson(const Job& job) {
  ordered_json root{{"job_id", job.job_id},
                    {"model", job.model_name},
                    {"state", StateText(job.state)},
                    {"epochs_done", job.epochs_done},
                    {"epochs_total", job.epochs_total},
                    {"published_version", job.published_version},
                    {"training_rows", job.training_rows},
                    {"validation_rows", job.validation_rows},
                    {"seed", job.seed},
                    {"created_unix_ms", job.created_unix_ms},
                    {"started_unix_ms", job.started_unix_ms},
                    {"ended_unix_ms", job.ended_unix_ms}};
  if (!job.message.empty()) root["message"] = job.message;
  if (job.last_epoch) {
    const client::EpochMetrics& epoch = *job.last_epoch;
    ordered_json& metrics = root["last_epoch"];
    metrics = {{"epoch", epoch.epoch}, {"training_loss", epoch.training_loss}};
    if (epoch.validation_loss) metrics["validation_loss"] = *epoch.validation_loss;
    if (epoch.validation_accuracy) metrics["validation_accuracy"] = *epoch.validation_accuracy;
    if (epoch.validation_roc_auc) metrics["validation_roc_auc"] = *epoch.validation_roc_auc;
    metrics["elapsed_seconds"] = epoch.elapsed_seconds;
  }
  return root;
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

/// "trained breast_cancer version 2 in 3.2 s": how it ended, or how far it is.
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

void WriteJobs(const std::vector<Job>& jobs, OutputFormat format, std::ostream& out) {
  if (format == OutputFormat::kJson) {
    ordered_json list = ordered_json::array();
    for (const Job& job : jobs) list.push_back(JobJson(job));
    out << ordered_json{{"jobs", list}}.dump(2, ' ', false, ordered_json::error_handler_t::replace)
        << "\n";
  } else if (format == OutputFormat::kCsv) {
    WriteCsv(JobsGrid(jobs), out);
  } else if (jobs.empty()) {
    out << "no training jobs\n";
  } else {
    WriteTable(JobsGrid(jobs), out);
  }
}

void WriteJob(const Job& job, OutputFormat format, std::ostream& out) {
  if (format == OutputFormat::kJson) {
    out << JobJson(job).dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
  } else if (format == OutputFormat::kCsv) {
    WriteCsv(JobsGrid({job}), out);
  } else {
    WriteText(job, out);
  }
}

}  // namespace sigserve::cli
