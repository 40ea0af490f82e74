#include "client/cli/cmd_health.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/verb.h"
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

/// The health protocol says no more than NOT_FOUND: say what exists.
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

ExitCode Run(Context& context, const std::string& model) {
  const auto client = context.Connect();
  if (client == nullptr) return ExitCode::kUsage;
  const auto health = client->CheckHealth(model);
  if (absl::IsNotFound(health.status()) && !model.empty()) {
    return context.ServerError(UnknownModel(*client, model, health.status()));
  }
  if (!health.ok()) return context.ServerError(health.status());
  switch (context.options.output) {
    case OutputFormat::kTable:
      context.out() << Text(*health) << "\n";
      break;
    case OutputFormat::kJson:
      context.out() << nlohmann::ordered_json{{"service", model}, {"status", Text(*health)}}.dump(2)
                    << "\n";
      break;
    case OutputFormat::kCsv:
      WriteCsv({.names = {"service", "status"}, .rows = {{model, Text(*health)}}}, context.out());
      break;
  }
  return *health == client::Health::kServing ? ExitCode::kOk : ExitCode::kServerError;
}

}  // namespace

void AddHealthCommand(CLI::App* app, Context* context) {
  CLI::App* verb = AddVerb(app, "health", "Ask whether the server, or one model, is serving",
                           "  sigctl health && echo ready\n"
                           "  sigctl health breast_cancer");
  const auto model = std::make_shared<std::string>();
  verb->add_option("MODEL", *model, "A model's name; without it, the server");
  OnChosen(verb, context, [model](Context& c) { return Run(c, *model); });
}

}  // namespace sigserve::cli
