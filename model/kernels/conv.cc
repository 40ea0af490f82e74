#include "model/kernels/conv.h"

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/conv.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"
#include "model/kernels/conv_finish-inl.h"
#include "model/kernels/conv_gather-inl.h"
#include "model/kernels/unroll.h"

// How the work is cut up. The grid positions of all images form one row of columns, taken in
// panels of 32; some panels at a time and some output channels have their sums in one block of
// scratch memory. For each of them, one block of patches at a time is gathered ([row][32], fits
// L1) and multiplied by all rows. Phases share what is gathered. None of this changes a bit.

#ifndef SIGSERVE_CONV_CONSTANTS
#define SIGSERVE_CONV_CONSTANTS
namespace sigserve::kernels {
namespace {

constexpr size_t kRows = 12;           // of a block of packed weights
constexpr size_t kBlockK = 192;        // of a product, at a time: 24 KB of patches
constexpr size_t kBlockPatches = 384;  // of which several phases read some each
constexpr size_t kBlockRows = 528;     // output channels of all phases
constexpr size_t kPanels = 4;          // at a time
constexpr size_t kSums = 1056;         // rows of 32 sums, of all panels: 132 KB
constexpr size_t kMaxPhases = 4;

struct Phase {
  size_t out_y;
  size_t out_x;
  size_t taps;
  size_t depth;
  const float* packed;
  // For each step of a block: where its row of patches is.
  uint32_t patch[kBlockK];
};

// One group's share of a call.
struct Share {
  const ConvShape* shape;  // with the taps of all phases
  size_t phases;
  Phase phase[kMaxPhases];
  // Phases 2i and 2i + 1 are the even and the odd outputs of the same rows, or the other way round.
  bool interleaved;
  const float* x;
  ConvEpilogue epilogue;
  float* out;
};

}  // namespace
}  // namespace sigserve::kernels
#endif  // SIGSERVE_CONV_CONSTANTS

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Sums in registers: of 32 on AVX-512, of 16 elsewhere.
constexpr size_t kTileRows = kLanes >= 16 ? 12 : 6;

// sums[r][c] (+)= weights[k][r] * patches[patch[k]][c], for 12 rows of weights or some of them.
struct Product {
  const float* weights;
  const float* next;  // needed after these, which the CPU does not foresee
  const float* patches;
  const uint32_t* patch;
  size_t depth;
  bool first;
  size_t width;
  float* sums;
};

template <size_t R, size_t V>
HWY_INLINE void Tile(const Product& p, size_t column) {
  const D d;
  float* sums = p.sums + column;
  hn::Vec<D> sum[R][V];
  SIGSERVE_UNROLL
  for (size_t r = 0; r < R; ++r) {
    SIGSERVE_UNROLL
    for (size_t v = 0; v < V; ++v) {
      sum[r][v] = p.first ? hn::Zero(d) : hn::LoadU(d, sums + r * kPanel + v * kLanes);
    }
  }
  const float* weights = p.weights;
  const float* next = p.next;
  const float* patches = p.patches + column;
  const uint32_t* at = p.patch;
  for (const uint32_t* end = at + p.depth; at != end; ++at) {
    __builtin_prefetch(next, 0, 2);  // into L2
    hn::Vec<D> patch[V];
    SIGSERVE_UNROLL
    for (size_t v = 0; v < V; ++v) {
      patch[v] = hn::LoadU(d, patches + *at + v * kLanes);
    }
    SIGSERVE_UNROLL
    for (size_t r = 0; r < R; ++r) {
      const auto weight = hn::Set(d, weights[r]);
      SIGSERVE_UNROLL
      for (size_t v = 0; v < V; ++v) {
        sum[r][v] = hn::MulAdd(weight, patch[v], sum[r][v]);
      }
    }
    weights += kRows;
    next += kRows;
  }
  SIGSERVE_UNROLL
  for (size_t r = 0; r < R; ++r) {
    SIGSERVE_UNROLL
    for (size_t v = 0; v < V; ++v) {
      hn::StoreU(sum[r][v], d, sums + r * kPanel + v * kLanes);
    }
  }
}

template <size_t R>
HWY_NOINLINE void Columns(const Product& p) {
  size_t column = 0;
  for (; column + kLanes < p.width; column += 2 * kLanes) {
    Tile<R, 2>(p, column);
  }
  if (column < p.width) {
    Tile<R, 1>(p, column);
  }
}

template <size_t R>
HWY_INLINE void LastRows(const Product& p, size_t rows) {
  if constexpr (R > 0) {
    if (rows == R) {
      Columns<R>(p);
    } else {
      LastRows<R - 1>(p, rows);
    }
  }
}

// All rows. `p` has the first one's weights and sums, and as `next` what is needed after the last
// one's; blocks of weights are [total_depth][12], at their first step.
void Multiply(const Product& p, size_t total_depth, size_t rows) {
  Product part = p;
  for (size_t row = 0; row < rows; row += kTileRows) {
    part.weights = p.weights + row / kRows * kRows * total_depth + row % kRows;
    part.next = row + kRows < rows ? part.weights + kRows * total_depth : p.next;
    part.sums = p.sums + row * kPanel;
    LastRows<kTileRows>(part, std::min(kTileRows, rows - row));
  }
}

// The block of a product's depth that follows k steps. Several phases: all taps of some channels.
Block BlockAt(const Share& share, size_t k) {
  const ConvShape& s = *share.shape;
  const size_t taps = s.y.taps * s.x.taps;
  const size_t channel = k / taps;
  if (share.phases == 1 && taps > kBlockK) {
    const size_t tap = k % taps;
    return {channel, 1, tap, std::min(kBlockK, taps - tap)};
  }
  size_t channels = (share.phases == 1 ? kBlockK : kBlockPatches) / taps;
  for (size_t f = 0; f < share.phases; ++f) {
    channels = std::min(channels, kBlockK / std::max<size_t>(1, share.phase[f].taps));
  }
  return {channel, std::min(channels, s.in_channels - channel), 0, taps};
}

// even[i] to to[2 i], odd[i] to to[2 i + 1].
HWY_INLINE void Interleave(const float* even, const float* odd, size_t count, float* to) {
  const hn::CappedTag<float, 8> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreInterleaved2(hn::LoadU(d, even + i), hn::LoadU(d, odd + i), d, to + 2 * i);
  }
  for (; i < count; ++i) {
    to[2 * i] = even[i];
    to[2 * i + 1] = odd[i];
  }
}

// Puts a row of a panel where it belongs; sums of a phase are followed by `rows` - 1 others.
HWY_INLINE void Finish(const Share& share, const Panel& panel, size_t row, size_t rows,
                       float* sums) {
  const ConvShape& s = *share.shape;
  const ConvEpilogue& e = share.epilogue;
  for (size_t f = 0; f < share.phases; ++f) {
    Complete(e, row, panel.width, sums + f * rows * kPanel);
  }
  for (size_t f = 0; f < share.phases; f += share.interleaved ? 2 : 1) {
    const Phase& phase = share.phase[f];
    const float* from = sums + f * rows * kPanel;
    for (size_t r = 0; r < panel.runs; ++r) {
      const Run& run = panel.run[r];
      const size_t y = phase.out_y + run.y * s.y.out_step;
      const size_t channel = run.image * s.groups * s.out_channels + row;
      float* line = share.out + (channel * s.y.output + y) * s.x.output;
      if (share.interleaved) {
        const float* other = from + rows * kPanel;
        Interleave((phase.out_x == 0 ? from : other) + run.column,
                   (phase.out_x == 0 ? other : from) + run.column, run.count, line + 2 * run.x);
      } else {
        Spread(from + run.column / e.pool, run.count / e.pool, s.x.out_step,
               line + phase.out_x + run.x / e.pool * s.x.out_step);
      }
    }
  }
}

// All positions for output channels [row, row + rows) of one group.
void ConvolveRows(const Share& share, size_t row, size_t rows) {
  const ConvShape& s = *share.shape;
  const size_t positions = s.batch * s.y.grid * s.x.grid;
  const size_t taps = s.y.taps * s.x.taps;
  HWY_ALIGN float patches[kBlockPatches * kPanel];
  HWY_ALIGN float sums[kSums * kPanel];
  Panel panels[kPanels];
  std::fill_n(patches, kBlockPatches * kPanel, 0.0F);  // beyond a panel's width nothing is written
  const size_t all_rows = rows * share.phases;
  const size_t together = std::min(kPanels, kSums / all_rows);
  for (size_t begin = 0; begin < positions; begin += together * kPanel) {
    const size_t end = std::min(positions, begin + together * kPanel);
    const size_t count = (end - begin + kPanel - 1) / kPanel;
    for (size_t p = 0; p < count; ++p) {
      const size_t at = begin + p * kPanel;
      FillPanel(s, at, std::min(kPanel, end - at), panels[p]);
    }
    if (s.depth() == 0) {
      std::fill_n(sums, count * all_rows * kPanel, 0.0F);
    }
    for (size_t k = 0; k < s.depth();) {
      const Block block = BlockAt(share, k);
      for (size_t p = 0; p < count; ++p) {
        Gather(s, panels[p], share.x, block, patches);
        float* to = sums + p * all_rows * kPanel;
        for (size_t f = 0; f < share.phases; ++f, to += rows * kPanel) {
          const Phase& phase = share.phase[f];
          const size_t first = k / taps * phase.taps + k % taps;
          const size_t steps = block.channels * (share.phases == 1 ? block.taps : phase.taps);
          const float* weights = phase.packed + row * phase.depth + first * kRows;
          const bool more = first + steps < phase.depth;
          Multiply({weights, more ? weights + steps * kRows : weights, patches, phase.patch, steps,
                    k == 0, panels[p].width, to},
                   phase.depth, rows);
        }
      }
      k += block.channels * block.taps;
    }
    for (size_t r = 0; r < rows; ++r) {
      for (size_t p = 0; p < count; ++p) {
        Finish(share, panels[p], row + r, rows, sums + (p * all_rows + r) * kPanel);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {

HWY_EXPORT(ConvolveRows);

size_t PackedConvSize(size_t out_channels, size_t depth) {
  return (out_channels + kRows - 1) / kRows * kRows * depth;
}

void PackConvWeights(const ConvWeights& weights, const ConvShape& shape, absl::Span<float> packed) {
  std::fill(packed.begin(), packed.end(), 0.0F);
  const size_t depth = shape.depth();
  if (depth == 0) return;
  for (size_t row = 0; row < shape.out_channels; ++row) {
    float* to = packed.data() + row / kRows * kRows * depth + row % kRows;
    for (size_t c = 0; c < shape.in_channels; ++c) {
      const float* from = weights.data + row * weights.row_stride + c * weights.channel_stride;
      for (size_t y = 0; y < shape.y.taps; ++y) {
        for (size_t x = 0; x < shape.x.taps; ++x) {
          *to = from[y * weights.y_stride + x * weights.x_stride];
          to += kRows;
        }
      }
    }
  }
}

namespace {

// One group after another. `share` has the first group's x and packed weights, and all taps.
void ConvolveGroups(Share& share, const ConvEpilogue& epilogue, float* out) {
  const auto run = HWY_DYNAMIC_DISPATCH(ConvolveRows);
  const auto parts = [](size_t n, size_t size) { return (n + size - 1) / size; };
  const ConvShape& s = *share.shape;
  if (s.batch * s.y.grid * s.x.grid == 0) return;  // there may be no memory either
  // Blocks of about the same size, of whole blocks of weights.
  const size_t blocks = std::max<size_t>(1, parts(s.out_channels * share.phases, kBlockRows));
  const size_t rows = parts(parts(s.out_channels, blocks), kRows) * kRows;
  share.epilogue = epilogue;
  for (size_t group = 0; group < s.groups; ++group) {
    share.out = out + group * s.out_channels * s.y.output * s.x.output;
    for (size_t row = 0; row < s.out_channels; row += rows) {
      run(share, row, std::min(rows, s.out_channels - row));
    }
    share.x += s.in_channels * s.y.input * s.x.input;
    if (epilogue.bias != nullptr) share.epilogue.bias += s.out_channels;
    for (size_t f = 0; f < share.phases; ++f) {
      share.phase[f].packed += PackedConvSize(s.out_channels, share.phase[f].depth);
    }
  }
}

// What phases read of an axis, as one range of neighbours.
struct Range {
  ptrdiff_t first = 0;
  ptrdiff_t last = -1;
  void Add(const ConvAxis& axis) {
    const ptrdiff_t end = axis.first + (static_cast<ptrdiff_t>(axis.taps) - 1) * axis.tap_step;
    const bool empty = last < first;
    first = empty ? std::min(axis.first, end) : std::min({first, axis.first, end});
    last = empty ? std::max(axis.first, end) : std::max({last, axis.first, end});
  }
  size_t size() const { return static_cast<size_t>(last - first + 1); }
};

bool SameGrid(const ConvAxis& a, const ConvAxis& b) { return a.grid == b.grid; }

// Phases that are worth gathering for together: all but single ones of a stride of 2.
bool CanJoin(absl::Span<const ConvShape> phases, Range& y, Range& x) {
  if (phases.size() < 2 || phases.size() > kMaxPhases) return false;
  size_t separate = 0;
  for (const ConvShape& phase : phases) {
    if (phase.depth() == 0 || !SameGrid(phase.y, phases[0].y) || !SameGrid(phase.x, phases[0].x)) {
      return false;
    }
    y.Add(phase.y);
    x.Add(phase.x);
    separate += phase.y.taps * phase.x.taps;
  }
  return y.size() * x.size() <= std::min(separate, kBlockPatches / 8);
}

}  // namespace

void Convolve(const ConvShape& shape, const float* x, const float* packed,
              const ConvEpilogue& epilogue, float* out) {
  Share share;
  share.shape = &shape;
  share.phases = 1;
  share.interleaved = false;
  share.x = x;
  Phase& phase = share.phase[0];
  phase.out_y = shape.y.out_first;
  phase.out_x = shape.x.out_first;
  phase.taps = shape.y.taps * shape.x.taps;
  phase.depth = shape.depth();
  phase.packed = packed;
  for (size_t k = 0; k < kBlockK; ++k) phase.patch[k] = static_cast<uint32_t>(k * kPanel);
  ConvolveGroups(share, epilogue, out);
}

void Convolve(absl::Span<const ConvShape> phases, const float* x, const float* packed,
              const ConvEpilogue& epilogue, float* out) {
  Range y;
  Range x_range;
  if (!CanJoin(phases, y, x_range)) {
    for (const ConvShape& phase : phases) {
      if (phase.y.grid > 0 && phase.x.grid > 0) Convolve(phase, x, packed, epilogue, out);
      packed += phase.groups * PackedConvSize(phase.out_channels, phase.depth());
    }
    return;
  }
  ConvShape all = phases[0];
  all.y.first = y.first;
  all.y.taps = y.size();
  all.x.first = x_range.first;
  all.x.taps = x_range.size();
  all.y.tap_step = all.x.tap_step = 1;
  const size_t taps = y.size() * x_range.size();
  Share share;
  share.shape = &all;
  share.phases = phases.size();
  share.interleaved = phases.size() % 2 == 0 && all.x.out_step == 2;
  share.x = x;
  for (size_t f = 0; f < phases.size(); ++f) {
    const ConvShape& from = phases[f];
    Phase& phase = share.phase[f];
    phase.out_y = from.y.out_first;
    phase.out_x = from.x.out_first;
    phase.taps = from.y.taps * from.x.taps;
    phase.depth = from.depth();
    phase.packed = packed;
    packed += from.groups * PackedConvSize(from.out_channels, from.depth());
    const Phase& even = share.phase[f / 2 * 2];
    share.interleaved = share.interleaved && phase.out_x < 2 && phase.out_y == even.out_y &&
                        (f % 2 == 0 || phase.out_x != even.out_x);
    for (size_t k = 0; k < kBlockK; ++k) {
      const size_t tap = k % phase.taps;
      const ptrdiff_t at_y =
          from.y.first - y.first + static_cast<ptrdiff_t>(tap / from.x.taps) * from.y.tap_step;
      const ptrdiff_t at_x = from.x.first - x_range.first +
                             static_cast<ptrdiff_t>(tap % from.x.taps) * from.x.tap_step;
      const size_t row = k / phase.taps * taps + static_cast<size_t>(at_y) * x_range.size() +
                         static_cast<size_t>(at_x);
      phase.patch[k] = static_cast<uint32_t>(row * kPanel);
    }
  }
  ConvolveGroups(share, epilogue, out);
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
