// A model's config.pbtxt as the server uses it: Triton's fields that we share, and our own
// (proto/inference/model_config.proto documents each). Plain values; absent fields are inferred
// from the model.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/batching/queue_policy.h"

namespace inference {
class ModelConfig;
}

namespace sigserve {

struct VersionPolicy {
  enum class Kind { kLatest, kAll, kSpecific };
  Kind kind = Kind::kLatest;
  int64_t latest_count = 1;
  std::vector<int64_t> versions = {};  // kSpecific

  friend bool operator==(const VersionPolicy&, const VersionPolicy&) = default;
};

/// An input or output as the config declares it, to be checked against the model.
struct DeclaredTensor {
  std::string name;
  std::string data_type = "";      // "TYPE_FP32"; empty when not given
  std::vector<int64_t> dims = {};  // without the batch dimension when max_batch_size > 0
};

struct InputOptions {
  std::string name;  // empty = the model's only input
  std::vector<std::string> column_names = {};
};

struct OutputOptions {
  std::string name;  // empty = the model's only output
  std::vector<std::string> labels = {};
  /// A file in the folder of config.pbtxt with one label per line; ModelLoader reads it into
  /// `labels`.
  std::string label_filename = "";
  std::vector<float> thresholds = {};
};

/// What may be less exact than the default.
struct NumericsOptions {
  bool bf16 = false;
  bool fast_math = false;
  /// How much bfloat16 may change a probability.
  double max_probability_change = 0.02;
};

struct ModelOptions {
  std::string model_filename = "model.onnx";
  VersionPolicy version_policy;
  /// 0 = dimension 0 is no batch; absent = inferred from the model.
  std::optional<int64_t> max_batch_size;
  std::vector<DeclaredTensor> inputs;
  std::vector<DeclaredTensor> outputs;
  std::vector<InputOptions> input_options;
  std::vector<OutputOptions> output_options;
  bool outputs_are_logits = false;
  bool forbid_nan = false;
  std::map<std::string, int64_t> version_labels;
  QueuePolicy queue;
  NumericsOptions numerics;
  /// What became of fields that other servers take differently: a log line each.
  std::vector<std::string> notes;
  /// Hash of the texts all this was read from (config.pbtxt, label files), set by ModelLoader;
  /// differs when one has changed.
  size_t source_hash = 0;
};

/// Parses config.pbtxt. INVALID_ARGUMENT names the unknown or bad field with its line, and a field
/// whose value we cannot honour. `model`: the directory's name, which `name` must equal if it is
/// given.
absl::StatusOr<ModelOptions> ParseModelConfig(absl::string_view text, absl::string_view model);

}  // namespace sigserve
