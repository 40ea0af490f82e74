#include "client/cli/cmd_job.h"

#include <memory>
#include <string>

#include "client/cli/job_watch.h"
#include "client/cli/verb.h"

namespace sigserve::cli {
namespace {

struct Flags {
  std::string job_id;
  bool watch = false;
};

ExitCode Run(Context& context, const Flags& flags) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto job =
      flags.watch ? WatchToEnd(context, *client, flags.job_id, {}) : client->GetJob(flags.job_id);
  if (!job.ok()) return context.ServerError(job.status());
  return ReportJob(context, *job);
}

}  // namespace

void AddJobCommand(CLI::App* app, Context* context) {
  CLI::App* verb = AddVerb(app, "job", "Show a training job; exit code 1 if it failed",
                           "  sigctl job JOB\n"
                           "  sigctl job JOB --watch\n"
                           "\n"
                           "sigctl jobs lists them. Ctrl-C ends the watching, not the job.");
  const auto flags = std::make_shared<Flags>();
  verb->add_option("JOB", flags->job_id, "The job's id")->required();
  verb->add_flag("--watch,-w", flags->watch, "Follow it until it has ended");
  OnChosen(verb, context, [flags](Context& c) { return Run(c, *flags); });
}

}  // namespace sigserve::cli
