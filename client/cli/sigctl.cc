#include "client/cli/sigctl.h"

#include <algorithm>
#include <exception>
#include <map>

#include "absl/strings/str_cat.h"
#include "client/cli/cmd_bench.h"
#include "client/cli/cmd_cancel.h"
#include "client/cli/cmd_health.h"
#include "client/cli/cmd_job.h"
#include "client/cli/cmd_jobs.h"
#include "client/cli/cmd_metadata.h"
#include "client/cli/cmd_models.h"
#include "client/cli/cmd_predict.h"
#include "client/cli/cmd_reload.h"
#include "client/cli/cmd_train.h"
#include "client/cli/verb.h"

namespace sigserve::cli {
namespace {

void AddGlobalOptions(CLI::App* app, GlobalOptions* options) {
  app->add_option("--address,-a", options->address, "HOST:PORT of the server")
      ->envname("SIGSERVE_ADDRESS")
      ->capture_default_str()
      ->type_name("HOST:PORT");
  app->add_option("--timeout", options->timeout_seconds, "Seconds to wait for each answer")
      ->check(CLI::Range(0.001, 1e6, "0.001 to 1000000 s"))
      ->capture_default_str()
      ->type_name("SECONDS");
  app->add_flag_callback(
      "--tls", [options] { options->tls_flag = true; },
      "TLS; goes without saying with any of the next ones");
  app->add_flag_callback(
      "--no-tls", [options] { options->tls_flag = false; },
      "Plain text, whatever the environment says");
  app->add_option("--ca-file", options->tls.ca_file,
                  "Who signs the server's certificate, PEM; by default the system's authorities")
      ->envname("SIGSERVE_CA_FILE")
      ->type_name("FILE");
  app->add_option("--certificate-file", options->tls.certificate_file,
                  "The client's own certificate, PEM, for servers that ask for it")
      ->envname("SIGSERVE_CERTIFICATE_FILE")
      ->type_name("FILE");
  app->add_option("--key-file", options->tls.key_file, "Its key, PEM")
      ->envname("SIGSERVE_KEY_FILE")
      ->type_name("FILE");
  app->add_option("--server-name", options->tls.server_name,
                  "The name in the server's certificate, if not the address's host")
      ->envname("SIGSERVE_SERVER_NAME")
      ->type_name("NAME");
  const std::map<std::string, OutputFormat> formats = {
      {"table", OutputFormat::kTable}, {"json", OutputFormat::kJson}, {"csv", OutputFormat::kCsv}};
  app->add_option("--output,-o", options->output, "table (for eyes, the default), json or csv")
      ->transform(CLI::CheckedTransformer(formats).description(""))
      ->type_name("FORMAT");
}

}  // namespace

int RunSigctl(std::vector<std::string> arguments, const Console& console) {
  Context context(console);
  CLI::App app("sigctl: ask a sigserve server for predictions, models and training", "sigctl");
  app.set_version_flag("--version", "sigctl " SIGSERVE_VERSION);
  app.require_subcommand(1);
  app.footer(absl::StrCat("sigctl VERB --help shows a verb's options and an example.\n\n",
                          kExitCodesHelp));
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    std::string verb;
    for (const CLI::App* chosen : failed->get_subcommands()) {
      absl::StrAppend(&verb, " ", chosen->get_name());
    }
    return absl::StrCat("sigctl: ", error.what(), "; see sigctl", verb, " --help\n");
  });
  AddGlobalOptions(&app, &context.options);
  AddPredictCommand(&app, &context);
  AddModelsCommand(&app, &context);
  AddMetadataCommand(&app, &context);
  AddHealthCommand(&app, &context);
  AddReloadCommand(&app, &context);
  AddTrainCommand(&app, &context);
  AddJobsCommand(&app, &context);
  AddJobCommand(&app, &context);
  AddCancelCommand(&app, &context);
  AddBenchCommand(&app, &context);

  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return app.exit(error, *console.out, *console.err) == 0 ? static_cast<int>(ExitCode::kOk)
                                                            : static_cast<int>(ExitCode::kUsage);
  }
  try {
    return static_cast<int>(context.run(context));
  } catch (const std::exception& error) {  // out of memory on a huge input
    return static_cast<int>(context.UsageError(error.what()));
  }
}

}  // namespace sigserve::cli
