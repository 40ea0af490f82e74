// A CSV with label columns as what Train takes: float32 features and labels. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/input_data.h"

namespace sigserve::cli {

struct LabelledRows {
  std::vector<float> features;
  std::vector<float> labels;
  int64_t feature_count = 0;
  int64_t label_count = 0;
};

/// INVALID_ARGUMENT names the row and column of a label that ParseBinaryLabel does not take, or
/// of a feature that float32 cannot hold.
absl::StatusOr<LabelledRows> ToLabelledRows(const InputData& data);

}  // namespace sigserve::cli
