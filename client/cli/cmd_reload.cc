// sigctl reload: makes the server read its repository again.
#include <algorithm>
#include <memory>
#include <string>

#include "client/cli/model_report.h"
#include "client/cli/option_values.h"
#include "client/cli/verbs.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context, const std::string& model) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto models = client->Reload(model);
  if (!models.ok()) return context.ServerError(models.status());
  WriteModels(*models, context.style(), context.out());
  const bool failed = std::any_of(
      models->begin(), models->end(),
      [](const client::ModelVersion& m) { return m.state == client::ModelState::kFailed; });
  return failed ? ExitCode::kServerError : ExitCode::kOk;
}

}  // namespace

Verb ReloadVerb() {
  const auto model = std::make_shared<std::string>();
  return {.name = "reload",
          .summary = "Read the repository again; exit code 1 if a version cannot be loaded",
          .example = "  cp -r 2 /models/breast_cancer/ && sigctl reload breast_cancer",
          .options = {{.name = "MODEL",
                       .help = "A model's name; by default all models",
                       .set = ToText(model.get())}},
          .run = [model](Context& context) { return Run(context, *model); }};
}

}  // namespace sigserve::cli
