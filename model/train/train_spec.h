// What to train, as plain values: architecture, optimizer, schedule. Semantics and defaults are
// PyTorch 1.13's. Validate() once; everything below then trusts it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "model/tensor/tensor.h"

namespace sigserve {

enum class Activation { kRelu, kTanh, kSigmoid };

/// Linear layers; `hidden_units` empty = logistic regression.
struct ArchitectureSpec {
  std::vector<int64_t> hidden_units;
  Activation activation = Activation::kRelu;
};

/// torch.optim.SGD.
struct SgdSpec {
  double learning_rate = 0.01;
  double momentum = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

/// torch.optim.Adam.
struct AdamSpec {
  double learning_rate = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

using OptimizerSpec = std::variant<AdamSpec, SgdSpec>;

/// How the rows are gone through.
struct ScheduleSpec {
  int64_t epochs = 10;
  int64_t batch_size = 0;  // 0 = full batch
  uint64_t seed = 0;
  double validation_fraction = 0;
  bool shuffle = true;  // before every epoch
};

struct TrainSpec {
  int64_t feature_count = 0;
  int64_t label_count = 1;
  ArchitectureSpec architecture;
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  bool standardize = true;
  /// BCEWithLogitsLoss's pos_weight, one per label; empty = 1.
  std::vector<float> positive_weights;
};

/// Initial weights by name: "0.weight" [out, in], "0.bias" [out], "2.weight", ...
using NamedWeights = std::vector<std::pair<std::string, Tensor>>;

/// INVALID_ARGUMENT "TRAIN_PARAM: <field> is <value>; expected <range>"; RESOURCE_EXHAUSTED for
/// nets over 2^28 weights.
absl::Status Validate(const TrainSpec& spec);

}  // namespace sigserve
