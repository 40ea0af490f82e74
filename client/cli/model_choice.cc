#include "client/cli/model_choice.h"

#include "client/cli/option_values.h"

namespace sigserve::cli {

absl::StatusOr<client::ModelRef> ModelChoice::ToRef() const {
  if (version != 0 && !label.empty()) {
    return absl::InvalidArgumentError("--version and --label exclude each other");
  }
  client::ModelRef ref{.name = name, .label = label};
  if (version != 0) ref.version = version;
  return ref;
}

std::vector<Option> ModelChoiceOptions(ModelChoice* choice) {
  return {{.name = "MODEL",
           .help = "The model's name (sigctl models lists them)",
           .set = ToText(&choice->name),
           .required = true},
          {.name = "--version",
           .value = "N",
           .help = "This version instead of the newest ready one",
           .set = ToInteger(&choice->version, 1)},
          {.name = "--label",
           .value = "NAME",
           .help = "The version with this label, for instance stable",
           .set = ToText(&choice->label)}};
}

}  // namespace sigserve::cli
