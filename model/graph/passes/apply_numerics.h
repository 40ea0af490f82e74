// Numerics that a model asks for, where they are not the default: products with constant weights in
// bfloat16 (Gemm, MatMul and Conv, as far as the product goes), and a faster sigmoid (the operator
// Sigmoid; not the gates of recurrent ones). The last of all passes: others do not know what it
// writes.
#pragma once

#include "absl/status/statusor.h"
#include "model/graph/graph.h"
#include "model/ops/core/precision.h"

namespace sigserve {

struct Numerics {
  Precision precision = Precision::kFloat32;
  /// Sigmoid within 4 ULP instead of 1.
  bool fast_math = false;
};

absl::StatusOr<Graph> ApplyNumerics(const Graph& graph, const Numerics& numerics);

}  // namespace sigserve
