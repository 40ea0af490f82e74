// For conv.cc and conv_transpose.cc: the activation that the compiler may fuse into them, and
// packed weights.
//
// A convolution of the domain kFusedDomain has the attributes "activation" (None, Relu, Greater,
// Above, Clip or Leaky: kernels/conv.h), "alpha" and "beta" besides those of ONNX, and the meaning
// of ONNX's newest opset. Conv also has "pool": 1, 2 or 4 neighbours of which the largest is kept,
// and "precision" (precision.h).
#pragma once

#include <initializer_list>

#include "absl/strings/string_view.h"
#include "model/base/aligned_buffer.h"
#include "model/kernels/conv.h"
#include "model/ops/core/maker.h"

namespace sigserve {

/// `in`: X, W and perhaps the bias B, which has `outputs` elements. INVALID_ARGUMENT otherwise.
absl::Status CheckConvOperands(absl::Span<const Operand> in, int64_t outputs);

/// CheckKnown() of `known` and, in the fused domain, of the activation's attributes; the bias is
/// left null.
absl::StatusOr<kernels::ConvEpilogue> ReadConvEpilogue(
    const NodeSpec& node, std::initializer_list<absl::string_view> known);

inline const float* DataOf(const AlignedBuffer& buffer) {
  return static_cast<const float*>(buffer.data());
}

}  // namespace sigserve
