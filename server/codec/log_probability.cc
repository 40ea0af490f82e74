#include "server/codec/log_probability.h"

#include <algorithm>
#include <cmath>

namespace sigserve {

void LogSigmoid(absl::Span<const float> logits, absl::Span<float> out) {
  for (size_t i = 0; i < logits.size(); ++i) {
    const double x = logits[i];
    out[i] = static_cast<float>(std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))));
  }
}

void LogSoftmax(absl::Span<const float> logits, size_t columns, absl::Span<float> out) {
  if (columns == 0) return;
  for (size_t begin = 0; begin + columns <= logits.size(); begin += columns) {
    const absl::Span<const float> row = logits.subspan(begin, columns);
    const double top = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float x : row) sum += std::exp(x - top);
    const double log_sum = std::log(sum);
    for (size_t j = 0; j < columns; ++j)
      out[begin + j] = static_cast<float>(row[j] - top - log_sum);
  }
}

}  // namespace sigserve
