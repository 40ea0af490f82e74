#include "client/cli/verb.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace sigserve::cli {

CLI::App* AddVerb(CLI::App* app, const std::string& name, const std::string& what,
                  const std::string& example) {
  CLI::App* verb = app->add_subcommand(name, what);
  verb->fallthrough();
  verb->footer(absl::StrCat("Example:\n", example, "\n\n", kExitCodesHelp));
  return verb;
}

void OnChosen(CLI::App* verb, Context* context, std::function<ExitCode(Context&)> run) {
  verb->callback([context, run = std::move(run)] { context->run = run; });
}

}  // namespace sigserve::cli
