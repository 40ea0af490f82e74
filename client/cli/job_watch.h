// Follows a job to its end, drawing its progress. Shared by train and job.
#pragma once

#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/context.h"
#include "client/client.h"

namespace sigserve::cli {

/// The job as it ended. CANCELLED if `stop` was requested first; the job then goes on.
absl::StatusOr<client::Job> WatchToEnd(Context& context, client::Client& client,
                                       const std::string& job_id, const std::stop_token& stop);

/// Writes an ended (or still running) job; kOk unless it failed or was cancelled.
ExitCode ReportJob(Context& context, const client::Job& job);

}  // namespace sigserve::cli
