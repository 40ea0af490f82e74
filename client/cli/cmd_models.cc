// sigctl models: every model and version with its state; the reason of those that are not ready.
#include "client/cli/model_report.h"
#include "client/cli/verbs.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto models = client->ListModels();
  if (!models.ok()) return context.ServerError(models.status());
  WriteModels(*models, context.style(), context.out());
  return ExitCode::kOk;
}

}  // namespace

Verb ModelsVerb() {
  return {.name = "models",
          .summary = "List the models, their versions and states",
          .example =
              "  sigctl models\n"
              "  sigctl models --output json",
          .run = Run};
}

}  // namespace sigserve::cli
