#include "model/kernels/bf16_conv.h"

#include <algorithm>
#include <cstddef>

#include "model/kernels/bf16_tile_product.h"
#include "model/kernels/bf16_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/bf16_conv.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"
#include "model/kernels/bf16-inl.h"
#include "model/kernels/conv_finish-inl.h"
#include "model/kernels/conv_gather-inl.h"

// How the work is cut up. As in conv.cc: grid positions are columns, in panels of 32, some of which
// are worked on at a time with some of the output channels. For each block of depth, the panels'
// patches are gathered and rounded; then they are multiplied by the weights, as tiles or as floats.
// None of this changes a bit but the blocks of depth, which depend on the weights' shape alone.

#ifndef SIGSERVE_BF16_CONV_CONSTANTS
#define SIGSERVE_BF16_CONV_CONSTANTS
namespace sigserve::kernels {
namespace {

constexpr size_t kBlockDepth = 192;
constexpr size_t kBlockChunks = kBlockDepth / kChunk;
constexpr size_t kBlockRows = 256;  // output channels
constexpr size_t kPanels = 4;
constexpr size_t kSumsStride = kPanels * kPanel;
constexpr size_t kPatches = kBlockDepth * kPanel;  // of a panel

/// How much of the depth the block at `k` has.
size_t DepthOfBlock(const ConvShape& s, size_t k) {
  const size_t taps = s.y.taps * s.x.taps;
  if (taps > kBlockDepth) return std::min(kBlockDepth, taps - k % taps);
  return std::min(kBlockDepth / taps * taps, s.depth() - k);
}

// One group's share of a call.
struct Bf16Share {
  Bf16Unit unit;
  const ConvShape* shape;
  const float* x;
  const uint16_t* packed;
  size_t tile_stride;  // numbers from 16 rows of weights to the next
  ConvEpilogue epilogue;
  float* out;
};

// A block of depth of some rows and panels, by vectors.
struct Bf16Block {
  const uint16_t* weights;  // [row / 16][chunk][16][32]
  size_t tile_stride;
  size_t rows;
  const float* patches;  // rounded: [panel][192][32]
  size_t panels;
  size_t chunks;
  bool first;
  float* sums;  // [row][panel][32]
};

}  // namespace
}  // namespace sigserve::kernels
#endif  // SIGSERVE_BF16_CONV_CONSTANTS

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if SIGSERVE_BF16_VECTORS

// Rows of sums in registers, each with two chains for two vectors: of 32 on AVX-512, of 16
// elsewhere.
constexpr size_t kGroup = kLanes >= 16 ? 6 : 3;

// weights: [R][192].
template <size_t R>
HWY_INLINE void MultiplyPanel(const Bf16Block& b, const float* weights, const float* patches,
                              float* sums) {
  const D d;
  for (size_t chunk = 0; chunk < b.chunks; ++chunk) {
    hn::Vec<D> even[R][2];
    hn::Vec<D> odd[R][2];
    SIGSERVE_UNROLL
    for (size_t r = 0; r < R; ++r) {
      even[r][0] = even[r][1] = odd[r][0] = odd[r][1] = hn::Zero(d);
    }
    for (size_t pair = 0; pair < kChunk / 2; ++pair) {
      const auto even_0 = hn::LoadU(d, patches);
      const auto even_1 = hn::LoadU(d, patches + kLanes);
      const auto odd_0 = hn::LoadU(d, patches + kPanel);
      const auto odd_1 = hn::LoadU(d, patches + kPanel + kLanes);
      SIGSERVE_UNROLL
      for (size_t r = 0; r < R; ++r) {
        const auto w_even = hn::Set(d, weights[r * kBlockDepth]);
        const auto w_odd = hn::Set(d, weights[r * kBlockDepth + 1]);
        even[r][0] = hn::MulAdd(w_even, even_0, even[r][0]);
        even[r][1] = hn::MulAdd(w_even, even_1, even[r][1]);
        odd[r][0] = hn::MulAdd(w_odd, odd_0, odd[r][0]);
        odd[r][1] = hn::MulAdd(w_odd, odd_1, odd[r][1]);
      }
      patches += 2 * kPanel;
      weights += 2;
    }
    const bool first = b.first && chunk == 0;
    SIGSERVE_UNROLL
    for (size_t r = 0; r < R; ++r) {
      SIGSERVE_UNROLL
      for (size_t v = 0; v < 2; ++v) {
        float* to = sums + r * kSumsStride + v * kLanes;
        const auto sum = first ? hn::Zero(d) : hn::LoadU(d, to);
        hn::StoreU(hn::Add(sum, hn::Add(even[r][v], odd[r][v])), d, to);
      }
    }
  }
}

template <size_t R>
HWY_INLINE void MultiplyGroup(const Bf16Block& b, const float* weights, size_t rows, float* sums) {
  if constexpr (R > 0) {
    if (rows < R) {
      MultiplyGroup<R - 1>(b, weights, rows, sums);
      return;
    }
    for (size_t p = 0; p < b.panels; ++p) {
      for (size_t column = 0; column < kPanel; column += 2 * kLanes) {
        MultiplyPanel<R>(b, weights, b.patches + p * kPatches + column, sums + p * kPanel + column);
      }
    }
  }
}

// Not inlined: its caller sets how it rounds.
HWY_NOINLINE void MultiplyByVectors(const Bf16Block& b) {
  const D d;
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<uint16_t, D> numbers;
  HWY_ALIGN float weights[kGroup * kBlockDepth];
  for (size_t row = 0; row < b.rows; row += kGroup) {
    const size_t rows = std::min(kGroup, b.rows - row);
    for (size_t r = 0; r < rows; ++r) {
      const size_t at = row + r;
      const uint16_t* from = b.weights + at / kTileRows * b.tile_stride + at % kTileRows * kChunk;
      float* to = weights + r * kBlockDepth;
      for (size_t chunk = 0; chunk < b.chunks; ++chunk, from += kTileNumbers) {
        for (size_t k = 0; k < kChunk; k += kLanes, to += kLanes) {
          const auto wide = hn::PromoteTo(du, hn::LoadU(numbers, from + k));
          hn::Store(hn::BitCast(d, hn::ShiftLeft<16>(wide)), d, to);
        }
      }
    }
    MultiplyGroup<kGroup>(b, weights, rows, b.sums + row * kSumsStride);
  }
}

#else
void MultiplyByVectors(const Bf16Block& /*b*/) {}  // never chosen
#endif  // SIGSERVE_BF16_VECTORS

// Rounds a panel's patches in place.
HWY_INLINE void RoundPatches(size_t depth, float* patches) {
  const D d;
  for (size_t i = 0; i < depth * kPanel; i += kLanes) {
    hn::StoreU(hn::BitCast(d, Rounded(hn::LoadU(d, patches + i))), d, patches + i);
  }
}

// A panel's patches as two columns of tiles: [32 columns / 16][chunk][16][16][2].
HWY_INLINE void TilePatches(size_t chunks, const float* patches, uint16_t* tiles) {
  const D d;
  const hn::Rebind<uint16_t, D> numbers;
  for (size_t pair = 0; pair < chunks * kChunk / 2; ++pair) {
    for (size_t column = 0; column < kPanel; column += kLanes) {
      const float* from = patches + 2 * pair * kPanel + column;
      uint16_t* to = tiles + column / kTileColumns * chunks * kTileNumbers +
                     pair * 2 * kTileColumns + column % kTileColumns * 2;
      hn::StoreInterleaved2(Narrowed(hn::LoadU(d, from)), Narrowed(hn::LoadU(d, from + kPanel)),
                            numbers, to);
    }
  }
}

HWY_INLINE void MultiplyByTiles(Bf16Unit unit, const TileProduct& p) {
#if defined(__x86_64__)
  if (unit == Bf16Unit::kTiles) {
    MultiplyTiles<AmxTiles>(p);
    return;
  }
#endif
  (void)unit;
  MultiplyTiles<SoftwareTiles>(p);
}

// Puts a finished row of a panel where it belongs.
HWY_INLINE void FinishRow(const Bf16Share& share, const Panel& panel, size_t row, float* sums) {
  const ConvShape& s = *share.shape;
  const size_t pool = share.epilogue.pool;
  Complete(share.epilogue, row, panel.width, sums);
  for (size_t r = 0; r < panel.runs; ++r) {
    const Run& run = panel.run[r];
    const size_t channel = run.image * s.groups * s.out_channels + row;
    const size_t y = s.y.out_first + run.y * s.y.out_step;
    float* line = share.out + (channel * s.y.output + y) * s.x.output;
    Spread(sums + run.column / pool, run.count / pool, s.x.out_step,
           line + s.x.out_first + run.x / pool * s.x.out_step);
  }
}

// All positions for output channels [row, row + rows) of one group; `row` is a multiple of 16.
void Bf16ConvolveRows(const Bf16Share& share, size_t row, size_t rows) {
  const ConvShape& s = *share.shape;
  const size_t positions = s.batch * s.y.grid * s.x.grid;
  const size_t taps = s.y.taps * s.x.taps;
  const bool vectors = share.unit == Bf16Unit::kVectors;
  HWY_ALIGN float patches[kPanels * kPatches];
  HWY_ALIGN uint16_t tiles[kPanels * kPatches];
  HWY_ALIGN float sums[kBlockRows * kSumsStride];
  Panel panels[kPanels];
  for (size_t begin = 0; begin < positions; begin += kPanels * kPanel) {
    const size_t end = std::min(positions, begin + kPanels * kPanel);
    const size_t count = (end - begin + kPanel - 1) / kPanel;
    for (size_t p = 0; p < count; ++p) {
      const size_t at = begin + p * kPanel;
      FillPanel(s, at, std::min(kPanel, end - at), panels[p]);
    }
    if (s.depth() == 0) std::fill_n(sums, rows * kSumsStride, 0.0F);
    const uint16_t* weights = share.packed + row / kTileRows * share.tile_stride;
    for (size_t k = 0; k < s.depth();) {
      const size_t depth = DepthOfBlock(s, k);
      const size_t chunks = ChunksIn(depth);
      const bool whole = taps <= kBlockDepth;
      const Block block = {k / taps, whole ? depth / taps : 1, whole ? 0 : k % taps,
                           whole ? taps : depth};
      for (size_t p = 0; p < count; ++p) {
        float* to = patches + p * kPatches;
        // Beyond a panel's width nothing is written.
        if (panels[p].width < kPanel) std::fill_n(to, kPatches, 0.0F);
        Gather(s, panels[p], share.x, block, to);
        std::fill(to + depth * kPanel, to + chunks * kChunk * kPanel, 0.0F);
        if (vectors) {
          RoundPatches(depth, to);
        } else {
          TilePatches(chunks, to, tiles + p * 2 * chunks * kTileNumbers);
        }
      }
      if (vectors) {
        const FlushSubnormals flush;
        MultiplyByVectors({weights, share.tile_stride, rows, patches, count, chunks, k == 0, sums});
      } else {
        MultiplyByTiles(share.unit, {weights, share.tile_stride, rows, tiles, chunks * kTileNumbers,
                                     count * kPanel, chunks, k == 0, sums, kSumsStride});
      }
      weights += chunks * kTileNumbers;
      k += depth;
    }
    for (size_t r = 0; r < rows; ++r) {
      for (size_t p = 0; p < count; ++p) {
        FinishRow(share, panels[p], row + r, sums + r * kSumsStride + p * kPanel);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {

HWY_EXPORT(Bf16ConvolveRows);

namespace {

size_t AllChunks(const ConvShape& s) {
  size_t chunks = 0;
  for (size_t k = 0; k < s.depth();) {
    const size_t depth = DepthOfBlock(s, k);
    chunks += ChunksIn(depth);
    k += depth;
  }
  return chunks;
}

}  // namespace

size_t PackedBf16ConvSize(const ConvShape& shape) {
  return (shape.out_channels + kTileRows - 1) / kTileRows * AllChunks(shape) * kTileNumbers;
}

void PackBf16ConvWeights(const ConvWeights& weights, const ConvShape& shape,
                         absl::Span<uint16_t> packed) {
  std::fill(packed.begin(), packed.end(), uint16_t{0});
  const size_t tile_stride = AllChunks(shape) * kTileNumbers;
  const size_t taps = shape.y.taps * shape.x.taps;
  for (size_t row = 0; row < shape.out_channels; ++row) {
    uint16_t* to = packed.data() + row / kTileRows * tile_stride + row % kTileRows * kChunk;
    for (size_t k = 0; k < shape.depth();) {
      const size_t depth = DepthOfBlock(shape, k);
      for (size_t i = 0; i < depth; ++i, ++k) {
        const size_t tap = k % taps;
        const float weight =
            weights.data[row * weights.row_stride + k / taps * weights.channel_stride +
                         tap / shape.x.taps * weights.y_stride +
                         tap % shape.x.taps * weights.x_stride];
        to[i / kChunk * kTileNumbers + i % kChunk] = RoundToBf16(weight);
      }
      to += ChunksIn(depth) * kTileNumbers;
    }
  }
}

void Bf16Convolve(const ConvShape& shape, const float* x, const uint16_t* packed,
                  const ConvEpilogue& epilogue, float* out) {
  Bf16ConvolveBy(BestBf16Unit(), shape, x, packed, epilogue, out);
}

void Bf16ConvolveBy(Bf16Unit unit, const ConvShape& shape, const float* x, const uint16_t* packed,
                    const ConvEpilogue& epilogue, float* out) {
  const ConvShape& s = shape;
  if (s.batch * s.y.grid * s.x.grid == 0) return;  // there may be no memory either
  Bf16Share share{unit, &s, x, packed, AllChunks(s) * kTileNumbers, epilogue, out};
  for (size_t group = 0; group < s.groups; ++group) {
    for (size_t row = 0; row < s.out_channels; row += kBlockRows) {
      HWY_DYNAMIC_DISPATCH(Bf16ConvolveRows)
      (share, row, std::min(kBlockRows, s.out_channels - row));
    }
    share.x += s.in_channels * s.y.input * s.x.input;
    share.packed += PackedBf16ConvSize(s);
    if (epilogue.bias != nullptr) share.epilogue.bias += s.out_channels;
    share.out += s.out_channels * s.y.output * s.x.output;
  }
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
