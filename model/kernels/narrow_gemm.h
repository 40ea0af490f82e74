// For gemm.cc: products with few columns, where a chain per column would leave most of a register
// empty. Here the lanes run along k instead.
//
// The order, the same on every CPU target: 16 chains of fused multiply-adds per output, chain i
// over k = i, i + 16, ...; then pairs of chains 8 apart are added, then 4, 2 and 1 apart.
#pragma once

#include "model/kernels/gemm.h"

namespace sigserve::kernels {

/// Widest product that goes this way.
inline constexpr size_t kMaxNarrowColumns = 8;

size_t NarrowPackedSize(size_t k, size_t n);
/// Packs into [k / 16][n][16], the last block filled with zeros.
void PackNarrow(const MatrixView& w, float* packed);
/// As GemmPacked(). When it accumulates, the finished sum is added to what the output holds.
void NarrowGemm(const MatrixView& x, const float* packed, size_t n, const GemmEpilogue& epilogue,
                float* out);

}  // namespace sigserve::kernels
