#include "client/cli/cmd_cancel.h"

#include <memory>
#include <string>

#include "client/cli/job_report.h"
#include "client/cli/verb.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context, const std::string& job_id) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto job = client->CancelJob(job_id);
  if (!job.ok()) return context.ServerError(job.status());
  WriteJob(*job, context.options.output, context.out());
  return ExitCode::kOk;
}

}  // namespace

void AddCancelCommand(CLI::App* app, Context* context) {
  CLI::App* verb = AddVerb(app, "cancel", "Ask a training job to stop; it then publishes nothing",
                           "  sigctl cancel JOB\n"
                           "\n"
                           "sigctl jobs lists them. A job that has ended is left as it is.");
  const auto job_id = std::make_shared<std::string>();
  verb->add_option("JOB", *job_id, "The job's id")->required();
  OnChosen(verb, context, [job_id](Context& c) { return Run(c, *job_id); });
}

}  // namespace sigserve::cli
