// Rows from JSON text, in one of these forms:
//   [[0.5, -0.2, 3.0], ...]               rows for a model with one input; [0.5, ...] is one row
//   {"input": [[...]]}                    the same
//   {"inputs": {"ids": [[...]], ...}}     one array for each of the model's inputs, by name
// Numbers and true/false (1/0); every array is rectangular, at most 8 deep. Errors name the place,
// as in "input[3][1]".
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/input_data.h"

namespace sigserve::cli {

/// `source` is for messages.
absl::StatusOr<InputData> ReadJson(absl::string_view text, const std::string& source);

}  // namespace sigserve::cli
