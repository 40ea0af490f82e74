#include "client/cli/cmd_jobs.h"

#include "client/cli/job_report.h"
#include "client/cli/verb.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto jobs = client->ListJobs();
  if (!jobs.ok()) return context.ServerError(jobs.status());
  WriteJobs(*jobs, context.options.output, context.out());
  return ExitCode::kOk;
}

}  // namespace

void AddJobsCommand(CLI::App* app, Context* context) {
  OnChosen(AddVerb(app, "jobs", "List the training jobs, newest first",
                   "  sigctl jobs\n"
                   "  sigctl jobs --output csv"),
           context, Run);
}

}  // namespace sigserve::cli
