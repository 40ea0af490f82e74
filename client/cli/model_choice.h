// MODEL [--version N | --label NAME], the same for every verb that takes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/options.h"
#include "client/types.h"

namespace sigserve::cli {

struct ModelChoice {
  std::string name;
  int64_t version = 0;  // 0 = not given; versions count from 1
  std::string label;

  /// INVALID_ARGUMENT if both version and label are given.
  absl::StatusOr<client::ModelRef> ToRef() const;
};

/// `choice` must outlive the parsing.
std::vector<Option> ModelChoiceOptions(ModelChoice* choice);

}  // namespace sigserve::cli
