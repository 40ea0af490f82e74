#include "model/kernels/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sigserve::kernels {
namespace {
constexpr size_t kPanel = 32;
}

size_t PackedSize(size_t k, size_t n) { return (n + kPanel - 1) / kPanel * kPanel * k; }

void PackWeights(const MatrixView& w, absl::Span<float> packed) {
  float* to = packed.data();
  for (size_t c0 = 0; c0 < w.columns; c0 += kPanel) {
    const size_t width = std::min(kPanel, w.columns - c0);
    for (size_t k = 0; k < w.rows; ++k, to += kPanel) {
      const float* from = w.data + k * w.row_stride + c0 * w.column_stride;
      for (size_t c = 0; c < width; ++c) {
        to[c] = from[c * w.column_stride];
      }
      std::fill(to + width, to + kPanel, 0.0f);
    }
  }
}

void GemmPacked(const MatrixView& x, const float* packed, size_t n, const GemmEpilogue& epilogue,
                float* out) {
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t c = 0; c < n; ++c) {
      float sum = 0;
      for (size_t k = 0; k < x.columns; ++k) {
        sum = std::fma(x.data[r * x.row_stride + k * x.column_stride],
                       packed[(c / kPanel * x.columns + k) * kPanel + c % kPanel], sum);
      }
      sum += epilogue.bias != nullptr ? epilogue.bias[c] : 0;
      out[r * n + c] = epilogue.activation == Activation::kRelu && sum < 0 ? 0 : sum;
    }
  }
}

void Gemm(const MatrixView& x, const MatrixView& w, const GemmEpilogue& epilogue, float* out) {
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t c = 0; c < w.columns; ++c) {
      float sum = 0;
      for (size_t k = 0; k < x.columns; ++k) {
        sum = std::fma(x.data[r * x.row_stride + k * x.column_stride],
                       w.data[k * w.row_stride + c * w.column_stride], sum);
      }
      sum += epilogue.bias != nullptr ? epilogue.bias[c] : 0;
      out[r * w.columns + c] = epilogue.activation == Activation::kRelu && sum < 0 ? 0 : sum;
    }
  }
}

}  // namespace sigserve::kernels
