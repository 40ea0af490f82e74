#include "client/cli/cmd_reload.h"

#include <algorithm>
#include <memory>
#include <string>

#include "client/cli/model_report.h"
#include "client/cli/verb.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context, const std::string& model) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto models = client->Reload(model);
  if (!models.ok()) return context.ServerError(models.status());
  WriteModels(*models, context.options.output, context.out());
  const bool failed = std::any_of(
      models->begin(), models->end(),
      [](const client::ModelVersion& m) { return m.state == client::ModelState::kFailed; });
  return failed ? ExitCode::kServerError : ExitCode::kOk;
}

}  // namespace

void AddReloadCommand(CLI::App* app, Context* context) {
  CLI::App* verb =
      AddVerb(app, "reload",
              "Let the server read its repository again; exit code 1 if a version cannot be loaded",
              "  cp -r 2 /models/breast_cancer/ && sigctl reload breast_cancer");
  const auto model = std::make_shared<std::string>();
  verb->add_option("MODEL", *model, "A model's name; without it, all models");
  OnChosen(verb, context, [model](Context& c) { return Run(c, *model); });
}

}  // namespace sigserve::cli
