// The models that the benchmarks measure, with random weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace sigserve::bench {

/// x [N, widths[0]] -> Gemm -> Relu -> ... -> Gemm -> Sigmoid, as PyTorch exports it.
Graph Mlp(const std::vector<int64_t>& widths);
/// Nodes of these types, one after another, between x [N] and y.
Graph Elementwise(const std::vector<std::string>& op_types);
/// x [N,4,1,1000] -> 919 probabilities, 211 MB of weights, as PyTorch exports it: each Threshold is
/// a comparison, a filled tensor and Where.
Graph DeepSea();
/// x [N,64] -> Gemm -> four times ConvTranspose(4, stride 2, pad 1) with BatchNormalization and
/// Relu between -> Sigmoid -> [N,3,64,64].
Graph Decoder();
/// x [N,30] -> TreeEnsembleClassifier, `trees` complete trees -> two probabilities, as XGBoost's
/// binary:logistic is exported.
Graph Trees(int64_t trees, int depth);

/// Normally distributed numbers.
std::vector<float> RandomFloats(int64_t count, uint32_t seed, float scale);

}  // namespace sigserve::bench
