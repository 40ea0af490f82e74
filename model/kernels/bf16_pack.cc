#include <algorithm>
#include <cstddef>

#include "model/kernels/bf16_gemm.h"
#include "model/kernels/bf16_tiles.h"

namespace sigserve::kernels {

size_t PackedBf16Size(size_t k, size_t n) {
  return ChunksIn(k) * ((n + kTileColumns - 1) / kTileColumns) * kTileNumbers;
}

void PackBf16Weights(const MatrixView& w, absl::Span<uint16_t> packed) {
  uint16_t* to = packed.data();
  const size_t depth = ChunksIn(w.rows) * kChunk;
  for (size_t column = 0; column < w.columns; column += kTileColumns) {
    const size_t width = std::min(kTileColumns, w.columns - column);
    // Eight rows at a time: a transposed matrix is read along its lines.
    for (size_t k0 = 0; k0 < depth; k0 += 8, to += 8 * kTileColumns) {
      for (size_t c = 0; c < kTileColumns; ++c) {
        const float* from = w.data + (column + c) * w.column_stride;
        for (size_t k = k0; k < k0 + 8; ++k) {
          uint16_t& number = to[(k - k0) / 2 * 2 * kTileColumns + c * 2 + k % 2];
          number = k < w.rows && c < width ? RoundToBf16(from[k * w.row_stride]) : uint16_t{0};
        }
      }
    }
  }
}

}  // namespace sigserve::kernels
