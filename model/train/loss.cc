#include "model/train/loss.h"

#include <algorithm>
#include <cmath>

namespace sigserve {

double BceWithLogits(absl::Span<const float> logits, absl::Span<const float> labels,
                     absl::Span<const float> positive_weights, float scale,
                     absl::Span<float> gradient) {
  // Pointers, because Debian's absl::Span checks every index.
  const float* const all_logits = logits.data();
  const float* const all_labels = labels.data();
  double sum = 0;
  size_t column = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const float x = all_logits[i];
    const float y = all_labels[i];
    float positive = y;
    if (!positive_weights.empty()) {
      positive *= positive_weights[column];
      column = column + 1 == positive_weights.size() ? 0 : column + 1;
    }
    const float negative = 1 - y;
    // Both softplus and both sigmoids from one exponential that cannot overflow.
    const float decay = std::exp(-std::abs(x));
    const float tail = std::log1p(decay);
    sum += negative * (std::max(x, 0.0f) + tail) + positive * (std::max(-x, 0.0f) + tail);
    if (!gradient.empty()) {
      const float large = 1 / (1 + decay);
      const float small = decay * large;
      const float sigmoid = x >= 0 ? large : small;     // of x
      const float complement = x >= 0 ? small : large;  // of -x, exact where 1 - sigmoid is not
      gradient[i] = (negative * sigmoid - positive * complement) * scale;
    }
  }
  return sum;
}

}  // namespace sigserve
