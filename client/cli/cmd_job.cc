// sigctl job: shows one training job, once or until it has ended.
#include <memory>
#include <string>

#include "client/cli/job_watch.h"
#include "client/cli/option_values.h"
#include "client/cli/verbs.h"

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

Verb JobVerb() {
  const auto flags = std::make_shared<Flags>();
  return {.name = "job",
          .summary = "Show a training job; exit code 1 if it failed",
          .example =
              "  sigctl job JOB\n"
              "  sigctl job JOB --watch\n"
              "\n"
              "sigctl jobs lists the jobs. Ctrl-C stops watching; the job continues.",
          .options = {{.name = "JOB",
                       .help = "The job's id",
                       .set = ToText(&flags->job_id),
                       .required = true},
                      {.name = "--watch",
                       .short_name = "-w",
                       .help = "Follow the job until it has ended",
                       .set = ToFlag(&flags->watch)}},
          .run = [flags](Context& context) { return Run(context, *flags); }};
}

}  // namespace sigserve::cli
