// One array from the bytes of a NumPy .npy file: versions 1 to 3, little-endian float32, float64 or
// int64, C order. Everything else is refused with the NumPy call that cures it. Trusts nothing: the
// header's length, shape and dtype are checked against the bytes that are there before anything is
// allocated.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/input_data.h"

namespace sigserve::cli {

/// `source` is for messages.
absl::StatusOr<InputData> ReadNpy(absl::string_view bytes, const std::string& source);

}  // namespace sigserve::cli
