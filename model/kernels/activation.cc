#include "model/kernels/activation.h"

#include <cmath>

namespace sigserve::kernels {

void Sigmoid(absl::Span<const float> x, absl::Span<float> out) {
  for (size_t i = 0; i < x.size(); ++i) {
    out[i] = static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x[i]))));
  }
}
void Tanh(absl::Span<const float> x, absl::Span<float> out) {
  for (size_t i = 0; i < x.size(); ++i) {
    out[i] = std::tanh(x[i]);
  }
}
void Relu(absl::Span<const float> x, absl::Span<float> out) {
  for (size_t i = 0; i < x.size(); ++i) {
    out[i] = x[i] < 0 ? 0 : x[i];
  }
}

}  // namespace sigserve::kernels
