// Reads NumPy's .npy files (format 1.0 to 3.0, little endian, C order) for golden data. dtypes: f4,
// f8, i4, i8, b1; f2 and the rest are refused. Errors name the file.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/tensor/tensor.h"

namespace sigserve::testing_support {

absl::StatusOr<Tensor> ReadNpy(const std::string& path);

}  // namespace sigserve::testing_support
