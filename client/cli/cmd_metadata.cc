// sigctl metadata: one model's inputs, outputs, labels and thresholds.
#include <memory>

#include "client/cli/model_choice.h"
#include "client/cli/model_report.h"
#include "client/cli/verbs.h"

namespace sigserve::cli {
namespace {

ExitCode Run(Context& context, const ModelChoice& choice) {
  const auto ref = choice.ToRef();
  if (!ref.ok()) return context.UsageError(ref.status().message());
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto model = client->GetModel(*ref);
  if (!model.ok()) return context.ServerError(model.status());
  WriteModel(*model, context.style(), context.out());
  return ExitCode::kOk;
}

}  // namespace

Verb MetadataVerb() {
  const auto choice = std::make_shared<ModelChoice>();
  return {.name = "metadata",
          .summary = "Show a model's inputs, outputs, labels and thresholds",
          .example =
              "  sigctl metadata breast_cancer\n"
              "  sigctl metadata breast_cancer --version 1 --output json",
          .options = ModelChoiceOptions(choice.get()),
          .run = [choice](Context& context) { return Run(context, *choice); }};
}

}  // namespace sigserve::cli
