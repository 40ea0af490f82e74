// out = activation(x * w + bias): single-precision matrix product, row-major output. Packed weights
// are for constants: pack once, multiply often. Gemm() takes any strides and packs as it goes.
//
// Each output is one chain of fused multiply-adds over k = 0, 1, ... starting from 0, then + bias,
// then the activation. GemmPacked() with up to 8 columns uses 16 chains per output instead, added
// up in a fixed order (narrow_gemm.h). So a row has the same bits in any batch and at any position,
// and on every CPU target with fused multiply-add.
//
// Thread-safe, no allocation (up to 48 KB of stack), cannot fail. Any size, zero included; any
// alignment. Nothing may overlap the output.
#pragma once

#include <cstddef>

#include "absl/types/span.h"

namespace sigserve::kernels {

/// Borrowed: element (r, c) is data[r * row_stride + c * column_stride].
struct MatrixView {
  const float* data = nullptr;
  size_t rows = 0;
  size_t columns = 0;
  size_t row_stride = 0;
  size_t column_stride = 1;

  static MatrixView RowMajor(const float* data, size_t rows, size_t columns) {
    return {data, rows, columns, columns, 1};
  }
  MatrixView Transposed() const { return {data, columns, rows, column_stride, row_stride}; }
};

enum class Activation { kNone, kRelu };

struct GemmEpilogue {
  /// One per output column; null for none.
  const float* bias = nullptr;
  Activation activation = Activation::kNone;
  /// Start each chain from what the output holds instead of 0 (16 chains: add their sum to it).
  bool accumulate = false;
};

/// Floats that PackWeights() writes.
size_t PackedSize(size_t k, size_t n);
/// Packs a [k, n] matrix into panels of 32 columns, each [k][32], the last one filled with zeros;
/// up to 8 columns as narrow_gemm.h says.
void PackWeights(const MatrixView& w, absl::Span<float> packed);

/// x: [m, k]; packed: of a [k, n] matrix; out: [m, n], row-major.
void GemmPacked(const MatrixView& x, const float* packed, size_t n, const GemmEpilogue& epilogue,
                float* out);
/// x: [m, k]; w: [k, n]; out: [m, n], row-major.
void Gemm(const MatrixView& x, const MatrixView& w, const GemmEpilogue& epilogue, float* out);

}  // namespace sigserve::kernels
