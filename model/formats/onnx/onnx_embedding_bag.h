// For onnx_reader.cc: PyTorch exports EmbeddingBag as a Loop over the bags, each of which gathers
// rows of the weights and reduces them. No other Loop is supported; these become one node. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/tensor/tensor.h"
#include "onnx/onnx.pb.h"

namespace sigserve {

struct EmbeddingBagLoop {
  std::string mode;  // sum, mean or max
  /// Values outside of the loop, as the operator EmbeddingBag of the fused domain takes them.
  std::vector<std::string> inputs;
};

/// `constant`: the small constants outside of the loop, by name; null for what is none. None for
/// any other node. Names are not checked.
std::optional<EmbeddingBagLoop> FindEmbeddingBag(
    const onnx::NodeProto& node, const std::function<const Tensor*(const std::string&)>& constant);

}  // namespace sigserve
