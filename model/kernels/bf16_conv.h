// Convolution as conv.h has it, in bfloat16: the arithmetic of bf16_gemm.h, with the same promises,
// over a depth that is cut up first. A block of depth is as many whole channels as have at most 192
// taps together, or up to 192 taps of one channel; each block is filled with zeros to a multiple of
// 32. Bias, activation and pooling follow in float.
//
// Thread-safe, no allocation (up to 300 KB of stack), cannot fail. Nothing may overlap the output.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "model/kernels/bf16_gemm.h"
#include "model/kernels/conv.h"

namespace sigserve::kernels {

/// Numbers that PackBf16ConvWeights() writes: one group. Groups follow each other.
size_t PackedBf16ConvSize(const ConvShape& shape);
/// Packs into tiles of 16 rows, each [depth / 32][16][32], filled with zeros.
void PackBf16ConvWeights(const ConvWeights& weights, const ConvShape& shape,
                         absl::Span<uint16_t> packed);

/// As Convolve() of one shape.
void Bf16Convolve(const ConvShape& shape, const float* x, const uint16_t* packed,
                  const ConvEpilogue& epilogue, float* out);
/// The same by what the caller says: for tests. Requires that the CPU has it.
void Bf16ConvolveBy(Bf16Unit unit, const ConvShape& shape, const float* x, const uint16_t* packed,
                    const ConvEpilogue& epilogue, float* out);

}  // namespace sigserve::kernels
