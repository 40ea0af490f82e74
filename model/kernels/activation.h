// Elementwise activations: out[i] = f(x[i]). Spans of equal length, any length and alignment; `out`
// may be `x` itself but not overlap it otherwise. Thread-safe, no allocation, cannot fail. Element
// i has the same bits wherever it stands, and on every CPU target with fused multiply-add.
#pragma once

#include "absl/types/span.h"

namespace sigserve::kernels {

/// 1 / (1 + exp(-x)). Within 1.0 ULP of the true value, subnormal results included (0 below -104);
/// never decreases as x grows; +-infinity give 1 and 0, NaN gives NaN.
void Sigmoid(absl::Span<const float> x, absl::Span<float> out);

/// The same within 4 ULP, half as fast again; it may decrease by as much where it should grow less.
void FastSigmoid(absl::Span<const float> x, absl::Span<float> out);

/// Hyperbolic tangent, within 1.0 ULP. NaN gives NaN, +-infinity give +-1, -0 gives -0.
void Tanh(absl::Span<const float> x, absl::Span<float> out);

/// max(x, 0). NaN gives NaN.
void Relu(absl::Span<const float> x, absl::Span<float> out);

/// e^x, within 1.5 ULP, subnormal results included. NaN gives NaN.
void Exp(absl::Span<const float> x, absl::Span<float> out);

/// Natural logarithm, within 1.5 ULP. 0 gives -infinity; x < 0 and NaN give NaN.
void Log(absl::Span<const float> x, absl::Span<float> out);

/// log(1 + exp(x)) and log(1 / (1 + exp(-x))), within 1.5 ULP, subnormal results included. NaN
/// gives NaN.
void Softplus(absl::Span<const float> x, absl::Span<float> out);
void LogSigmoid(absl::Span<const float> x, absl::Span<float> out);

/// The error function, within 2 ULP. NaN gives NaN, +-infinity give +-1.
void Erf(absl::Span<const float> x, absl::Span<float> out);

/// From here on: NaN gives NaN, an infinity gives the limit, except that (as in PyTorch) Gelu,
/// GeluTanh, Mish and HardSwish of -infinity and Softsign of either are NaN. Elu, Selu, Celu, Mish
/// and Softsign are within 4 ULP, Gelu within 6; GeluTanh and HardSwish within a few ULP of their
/// largest term.
/// x on the right of 0; alpha (exp(x) - 1) on the left.
void Elu(absl::Span<const float> x, float alpha, absl::Span<float> out);
/// gamma times Elu.
void Selu(absl::Span<const float> x, float alpha, float gamma, absl::Span<float> out);
/// x on the right of 0; alpha (exp(x / alpha) - 1) on the left. Requires alpha > 0.
void Celu(absl::Span<const float> x, float alpha, absl::Span<float> out);
/// x (1 + erf(x / sqrt(2))) / 2, and its usual approximation by a hyperbolic tangent.
void Gelu(absl::Span<const float> x, absl::Span<float> out);
void GeluTanh(absl::Span<const float> x, absl::Span<float> out);
/// x tanh(log(1 + exp(x))).
void Mish(absl::Span<const float> x, absl::Span<float> out);
/// x / (1 + |x|).
void Softsign(absl::Span<const float> x, absl::Span<float> out);
/// alpha x where x < 0, else x.
void LeakyRelu(absl::Span<const float> x, float alpha, absl::Span<float> out);
/// 0 where x <= alpha, else x.
void ThresholdedRelu(absl::Span<const float> x, float alpha, absl::Span<float> out);
/// alpha x + beta, cut off at 0 and 1.
void HardSigmoid(absl::Span<const float> x, float alpha, float beta, absl::Span<float> out);
/// x times HardSigmoid with 1/6 and 1/2.
void HardSwish(absl::Span<const float> x, absl::Span<float> out);

}  // namespace sigserve::kernels
