#include "client/cli/job_watch.h"

#include <variant>

#include "client/cli/job_report.h"
#include "client/cli/progress.h"

namespace sigserve::cli {

absl::StatusOr<client::Job> WatchToEnd(Context& context, client::Client& client,
                                       const std::string& job_id, const std::stop_token& stop) {
  Progress progress(context.err(), context.err_is_terminal());
  int64_t total = 0;
  const absl::Status watched = client.WatchJob(
      job_id, 0,
      [&](const client::JobEvent& event) {
        if (const auto* job = std::get_if<client::Job>(&event.what)) {
          total = job->epochs_total;
        } else {
          progress.Show(std::get<client::EpochMetrics>(event.what), total);
        }
      },
      stop);
  progress.Finish();
  if (!watched.ok()) return watched;
  return client.GetJob(job_id);
}

ExitCode ReportJob(Context& context, const client::Job& job) {
  WriteJob(job, context.style(), context.out());
  const bool bad =
      job.state == client::JobState::kFailed || job.state == client::JobState::kCancelled;
  return bad ? ExitCode::kServerError : ExitCode::kOk;
}

}  // namespace sigserve::cli
