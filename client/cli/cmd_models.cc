#include "client/cli/cmd_models.h"

#include "client/cli/model_report.h"
#include "client/cli/verb.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto models = client->ListModels();
  if (!models.ok()) return context.ServerError(models.status());
  WriteModels(*models, context.options.output, context.out());
  return ExitCode::kOk;
}

}  // namespace

void AddModelsCommand(CLI::App* app, Context* context) {
  CLI::App* verb = AddVerb(app, "models", "List the models, their versions and states",
                           "  sigctl models\n"
                           "  sigctl models --output json");
  OnChosen(verb, context, Run);
}

}  // namespace sigserve::cli
