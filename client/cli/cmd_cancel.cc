// sigctl cancel: asks a training job to stop.
#include <memory>
#include <string>

#include "client/cli/job_report.h"
#include "client/cli/option_values.h"
#include "client/cli/verbs.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context, const std::string& job_id) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto job = client->CancelJob(job_id);
  if (!job.ok()) return context.ServerError(job.status());
  WriteJob(*job, context.style(), context.out());
  return ExitCode::kOk;
}

}  // namespace

Verb CancelVerb() {
  const auto job_id = std::make_shared<std::string>();
  return {.name = "cancel",
          .summary = "Stop a training job; it publishes nothing",
          .example =
              "  sigctl cancel JOB\n"
              "\n"
              "sigctl jobs lists the jobs. A job that has ended is not changed.",
          .options = {{.name = "JOB",
                       .help = "The job's id",
                       .set = ToText(job_id.get()),
                       .required = true}},
          .run = [job_id](Context& context) { return Run(context, *job_id); }};
}

}  // namespace sigserve::cli
