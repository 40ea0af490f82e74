#include "client/cli/model_choice.h"

#include <limits>

#include "client/cli/verb.h"

namespace sigserve::cli {

client::ModelRef ModelChoice::ToRef() const {
  client::ModelRef ref{.name = name, .label = label};
  if (version != 0) ref.version = version;
  return ref;
}

void AddModelChoice(CLI::App* verb, ModelChoice* choice) {
  verb->add_option("MODEL", choice->name, "The model's name (sigctl models lists them)")
      ->required();
  CLI::Option* version =
      verb->add_option("--version", choice->version, "This version, not the newest ready one")
          ->check(CLI::Range(int64_t{1}, std::numeric_limits<int64_t>::max(), "a version from 1"));
  verb->add_option("--label", choice->label, "The version of this name, for instance stable")
      ->excludes(version);
}

}  // namespace sigserve::cli
