// Elementwise arithmetic: out[i] = a[i] op b[i], IEEE single precision. `a` and `b` have out.size()
// elements, or one that is used for all. `out` may be `a` or `b` itself but not overlap them
// otherwise. Thread-safe, no allocation, cannot fail; the same bits on every CPU target.
#pragma once

#include "absl/types/span.h"

namespace sigserve::kernels {

void Add(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out);
void Sub(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out);
void Mul(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out);
void Div(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out);

}  // namespace sigserve::kernels
