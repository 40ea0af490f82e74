// A model's config matched against the model itself: what the config declares must be what the
// model has, and what it leaves out is inferred. A pure function, run once per load.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/runtime/signature.h"
#include "server/config/model_options.h"

namespace sigserve {

struct ServableSettings {
  /// The model's, with sizes that only the config fixes filled in.
  Signature signature;
  /// Rows a request may have at most; 0 = no limit.
  int64_t max_batch_size = 0;
  bool forbid_nan = false;
  std::vector<std::vector<std::string>> labels;  // by output; empty = none
  std::vector<std::vector<float>> thresholds;    // by output; never empty
};

/// INVALID_ARGUMENT names the field of config.pbtxt that does not fit, and what the model has.
absl::StatusOr<ServableSettings> MatchSettings(const ModelOptions& options,
                                               const Signature& signature);

/// "FLOAT32" for "TYPE_FP32"; empty for a type this server does not run.
std::string DTypeNameOf(const std::string& config_data_type);

}  // namespace sigserve
