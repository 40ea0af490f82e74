// Binary cross-entropy on logits, torch.nn.BCEWithLogitsLoss: stable for every finite logit (at
// x = -1000, y = 1 it is 1000, and its gradient -1). Pure functions.
#pragma once

#include "absl/types/span.h"

namespace sigserve {

/// The sum over all elements of (1 - y) softplus(x) + w y softplus(-x). `logits` and `labels` are
/// row-major with the same count; `positive_weights` has one w per column, or is empty for w = 1.
/// Writes the sum's derivative by each logit, times `scale` (1 / count for the mean), to
/// `gradient`; empty = not wanted.
double BceWithLogits(absl::Span<const float> logits, absl::Span<const float> labels,
                     absl::Span<const float> positive_weights, float scale,
                     absl::Span<float> gradient);

}  // namespace sigserve
