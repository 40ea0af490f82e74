// What a model takes and gives, as callers need to know it. A value: copies.
#pragma once

#include <string>
#include <vector>

#include "model/tensor/dtype.h"
#include "model/tensor/shape.h"

namespace sigserve {

/// How an output's numbers became probabilities, if they did.
enum class Link {
  kNone,     // raw values
  kSigmoid,  // independent probabilities
  kSoftmax,  // along the last dimension
  kOther,    // probabilities without a logit each (e.g. one-vs-rest, normalized)
};

struct InputSignature {
  std::string name;
  DType dtype = DType::kFloat32;
  bool any_rank = false;
  Shape shape;  // -1 = any size; empty when any_rank
  /// Names of the last dimension's entries; empty if unknown.
  std::vector<std::string> column_names = {};
};

struct OutputSignature {
  std::string name;
  DType dtype = DType::kFloat32;
  bool any_rank = false;
  Shape shape;  // -1 = depends on the inputs
  Link link = Link::kNone;
  /// Whether Session::logits() has this output's logits (kSigmoid and kSoftmax).
  bool has_logits = false;
  /// Class labels that the model itself carries for the last dimension (ONNX-ML classifiers); else
  /// empty.
  std::vector<std::string> labels;
};

struct Signature {
  std::vector<InputSignature> inputs;
  std::vector<OutputSignature> outputs;
  /// Dimension 0 of every input and output is the batch: rows of several requests may be run
  /// together where all their other sizes are equal.
  bool batchable = false;
};

}  // namespace sigserve
