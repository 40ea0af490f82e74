// For the sources of this folder: a node's AttributeProtos to Attributes and back. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "model/formats/onnx/onnx_tensor.h"
#include "model/ops/core/attributes.h"

namespace sigserve {

/// INVALID_ARGUMENT (ONNX_ATTR): given twice, or a value of another type than announced;
/// UNIMPLEMENTED: subgraphs (ONNX_OP), references of functions, sparse tensors. Messages name the
/// attribute, not the node.
absl::StatusOr<Attributes> AttributesFromOnnx(const onnx::NodeProto& node,
                                              ExternalFiles* external = nullptr);

/// Sorted by name.
void AttributesToOnnx(const Attributes& attributes, onnx::NodeProto& node);

}  // namespace sigserve
