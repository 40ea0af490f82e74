#include "client/cli/cmd_metadata.h"

#include <memory>

#include "client/cli/model_choice.h"
#include "client/cli/model_report.h"
#include "client/cli/verb.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context, const ModelChoice& choice) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto model = client->GetModel(choice.ToRef());
  if (!model.ok()) return context.ServerError(model.status());
  WriteModel(*model, context.options.output, context.out());
  return ExitCode::kOk;
}

}  // namespace

void AddMetadataCommand(CLI::App* app, Context* context) {
  CLI::App* verb = AddVerb(app, "metadata", "Show a model's inputs, outputs, labels and thresholds",
                           "  sigctl metadata breast_cancer\n"
                           "  sigctl metadata breast_cancer --version 1 --output json");
  const auto choice = std::make_shared<ModelChoice>();
  AddModelChoice(verb, choice.get());
  OnChosen(verb, context, [choice](Context& c) { return Run(c, *choice); });
}

}  // namespace sigserve::cli
