// The models that the benchmarks measure, with random weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/graph/graph.h"

namespace sigserve::bench {

/// x [N, widths[0]] -> Gemm -> Relu -> ... -> Gemm -> Sigmoid, as PyTorch exports it.
Graph Mlp(const std::vector<int64_t>& widths);
/// One node of this type between x [N] and y.
Graph Elementwise(const std::string& op_type);

/// Normally distributed numbers.
std::vector<float> RandomFloats(int64_t count, uint32_t seed, float scale);

}  // namespace sigserve::bench
