// sigctl jobs: the training jobs, newest first.
#include "client/cli/job_report.h"
#include "client/cli/verbs.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto jobs = client->ListJobs();
  if (!jobs.ok()) return context.ServerError(jobs.status());
  WriteJobs(*jobs, context.style(), context.out());
  return ExitCode::kOk;
}

}  // namespace

Verb JobsVerb() {
  return {.name = "jobs",
          .summary = "List the training jobs, newest first",
          .example =
              "  sigctl jobs\n"
              "  sigctl jobs --output csv",
          .run = Run};
}

}  // namespace sigserve::cli
