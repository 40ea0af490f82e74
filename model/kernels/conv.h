// Convolution of images [batch, channels, height, width] without a copy of their patches: the
// product of a weight matrix with patches that are gathered into L1 as they are needed. One call
// convolves, or computes one phase of a transposed convolution: ConvAxis says which.
//
// Each output is one chain of fused multiply-adds over the input channels and, within a channel,
// the taps, row by row, starting from 0; taps outside the image count as zeros. Then + bias, then
// the activation. So an image has the same bits in any batch, and on every CPU target with fused
// multiply-add.
//
// Thread-safe, no allocation (up to 210 KB of stack), cannot fail. Nothing may overlap the output.
#pragma once

#include <cstddef>

#include "absl/types/span.h"

namespace sigserve::kernels {

enum class ConvActivation {
  kNone,
  kRelu,     // x < 0 ? 0 : x
  kGreater,  // x > alpha ? x : beta
  kAbove,    // x <= alpha ? beta : x: as kGreater, but keeps a NaN
  kClip,     // at least alpha, at most beta; keeps a NaN
  kLeaky,    // x < 0 ? alpha * x : x
};

struct ConvEpilogue {
  /// One per output channel; null for none.
  const float* bias = nullptr;
  ConvActivation activation = ConvActivation::kNone;
  float alpha = 0;
  float beta = 0;
  /// Max-pool width along x, applied last: 1, 2 or 4; NaN propagates. x.grid must be a multiple of
  /// it, and x.output counts the pooled results.
  size_t pool = 1;
};

/// Along one axis, position p of the grid reads the input at first + p * step + t * tap_step for
/// taps t, and is written to the output at out_first + p * out_step.
struct ConvAxis {
  size_t input = 1;
  size_t grid = 1;
  size_t output = 1;
  ptrdiff_t first = 0;
  size_t step = 1;
  size_t taps = 1;
  ptrdiff_t tap_step = 1;
  size_t out_first = 0;
  size_t out_step = 1;
};

struct ConvShape {
  size_t batch = 1;
  size_t groups = 1;
  /// Per group.
  size_t in_channels = 1;
  size_t out_channels = 1;
  ConvAxis y;
  ConvAxis x;

  /// Multiply-adds per output.
  size_t depth() const { return in_channels * y.taps * x.taps; }
};

/// Borrowed weights of one group: output channel r, input channel c and tap (y, x) are at
/// data[r * row_stride + c * channel_stride + y * y_stride + x * x_stride].
struct ConvWeights {
  const float* data = nullptr;
  size_t row_stride = 0;
  size_t channel_stride = 0;
  size_t y_stride = 0;
  size_t x_stride = 0;
};

/// Floats that PackConvWeights() writes: one group. Groups follow each other.
size_t PackedConvSize(size_t out_channels, size_t depth);
/// Packs into blocks of 12 rows, each [depth][12], the last one filled with zeros.
void PackConvWeights(const ConvWeights& weights, const ConvShape& shape, absl::Span<float> packed);

/// x: [batch, groups * in_channels, y.input, x.input]; out: [batch, groups * out_channels,
/// y.output, x.output], of which the positions of the grid are written.
void Convolve(const ConvShape& shape, const float* x, const float* packed,
              const ConvEpilogue& epilogue, float* out);
/// The same for each of these in turn, which differ in taps, firsts, tap steps, grids and
/// out_firsts only; packed: those of all, one after another. Faster than one by one where 2 to 4
/// read the same neighbourhood.
void Convolve(absl::Span<const ConvShape> phases, const float* x, const float* packed,
              const ConvEpilogue& epilogue, float* out);

}  // namespace sigserve::kernels
