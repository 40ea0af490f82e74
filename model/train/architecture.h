// A TrainSpec's net as graphs: one to train, whose weights are inputs, and one to publish, whose
// weights are constants. Linear layers are Gemm nodes named as torch.nn.Sequential numbers them:
// layer k of an MLP has "<2k>.weight" [out, in] and "<2k>.bias" [out]; activations have the odd
// numbers. Specs are expected to be valid (train_spec.h).
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/graph/graph.h"
#include "model/train/standardization.h"
#include "model/train/train_spec.h"

namespace sigserve {

struct WeightShape {
  std::string name;
  Shape shape;
};

/// Every weight of the net: the first layer's weight, its bias, the next layer's...
std::vector<WeightShape> WeightShapes(const TrainSpec& spec);

/// In that order, uniform in +-1/sqrt(inputs of the layer): torch.nn.Linear's default.
NamedWeights DrawWeights(const TrainSpec& spec);

/// Given weights in WeightShapes' order. INVALID_ARGUMENT "TRAIN_PARAM: initial_weights" lists
/// what is missing, unknown, given twice, of another dtype or shape, or not finite.
absl::StatusOr<NamedWeights> ArrangeWeights(const TrainSpec& spec, NamedWeights given);

/// Inputs: "features" [-1, feature_count], then the weights. Output: "logits".
absl::StatusOr<Graph> TrainingGraph(const TrainSpec& spec);

/// Input "features" [-1, feature_count]; (features - mean) / stddev, unless `standardization` is
/// null; layers; "logits"; output "probabilities". `weights` in WeightShapes' order; copied.
absl::StatusOr<Graph> PublishableGraph(const TrainSpec& spec,
                                       const Standardization* standardization,
                                       const NamedWeights& weights);

}  // namespace sigserve
