// sigctl health: whether the server, or one model, is serving. The exit code tells.
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/json_writer.h"
#include "client/cli/option_values.h"
#include "client/cli/verbs.h"
#include "client/cli/writers.h"

namespace sigserve::cli {
namespace {

const char* Text(client::Health health) {
  switch (health) {
    case client::Health::kServing:
      return "SERVING";
    case client::Health::kNotServing:
      return "NOT_SERVING";
    case client::Health::kUnknown:
      break;
  }
  return "UNKNOWN";
}

/// The health protocol answers NOT_FOUND without saying what exists: list the models.
absl::Status UnknownModel(client::Client& client, const std::string& model,
                          const absl::Status& not_found) {
  const auto models = client.ListModels();
  if (!models.ok()) return not_found;
  std::set<std::string> names;
  for (const client::ModelVersion& m : *models) names.insert(m.name);
  return absl::NotFoundError(absl::StrCat(
      "no model '", model, "'; ",
      names.empty() ? "there are none" : absl::StrCat("there are: ", absl::StrJoin(names, ", "))));
}

void Write(const std::string& service, const char* status, Context& context) {
  if (context.options.output == OutputFormat::kJson) {
    JsonWriter json(context.out(), JsonWriter::Style::kIndented);
    json.BeginObject().Key("service").Text(service).Key("status").Text(status).EndObject();
    context.out() << "\n";
  } else if (context.options.output == OutputFormat::kCsv) {
    WriteCsv({.names = {"service", "status"}, .rows = {{service, status}}}, context.out());
  } else {
    context.out() << status << "\n";
  }
}

ExitCode Run(Context& context, const std::string& model) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto health = client->CheckHealth(model);
  if (absl::IsNotFound(health.status()) && !model.empty()) {
    return context.ServerError(UnknownModel(*client, model, health.status()));
  }
  if (!health.ok()) return context.ServerError(health.status());
  Write(model, Text(*health), context);
  return *health == client::Health::kServing ? ExitCode::kOk : ExitCode::kServerError;
}

}  // namespace

Verb HealthVerb() {
  const auto model = std::make_shared<std::string>();
  return {.name = "health",
          .summary = "Check whether the server, or one model, is serving",
          .example =
              "  sigctl health && echo ready\n"
              "  sigctl health breast_cancer",
          .options = {{.name = "MODEL",
                       .help = "A model's name; by default the server",
                       .set = ToText(model.get())}},
          .run = [model](Context& context) { return Run(context, *model); }};
}

}  // namespace sigserve::cli
