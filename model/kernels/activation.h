// Elementwise activations: out[i] = f(x[i]). Spans of equal length, any length and alignment; `out`
// may be `x` itself but not overlap it otherwise. Thread-safe, no allocation, cannot fail. Element
// i has the same bits wherever it stands, and on every CPU target with fused multiply-add.
#pragma once

#include "absl/types/span.h"

namespace sigserve::kernels {

/// 1 / (1 + exp(-x)). Within 1.0 ULP of the true value, subnormal results included (0 below -104);
/// never decreases as x grows; +-infinity give 1 and 0, NaN gives NaN.
void Sigmoid(absl::Span<const float> x, absl::Span<float> out);

/// Hyperbolic tangent, within 1.0 ULP. NaN gives NaN, +-infinity give +-1, -0 gives -0.
void Tanh(absl::Span<const float> x, absl::Span<float> out);

/// max(x, 0). NaN gives NaN.
void Relu(absl::Span<const float> x, absl::Span<float> out);

}  // namespace sigserve::kernels
