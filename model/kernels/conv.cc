#include "model/kernels/conv.h"

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/conv.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"

// How the work is cut up. The grid positions of all images form one row of columns, taken in
// panels of 32; four panels at a time and some output channels have their sums in one block of
// scratch memory. For each of them, one k-block of patches at a time is gathered ([k][32], fits
// L1) and multiplied by all rows. None of this changes a bit.

#ifndef SIGSERVE_CONV_CONSTANTS
#define SIGSERVE_CONV_CONSTANTS
namespace sigserve::kernels {
namespace {

constexpr size_t kRows = 12;  // of a block of packed weights
constexpr size_t kPanel = 32;
constexpr size_t kPanels = 4;       // at a time: 128 positions
constexpr size_t kBlockK = 256;     // of gathered patches: 32 KB
constexpr size_t kBlockRows = 192;  // of sums: 96 KB

// Neighbours in one row of one image's grid, which lie side by side in a panel.
struct Run {
  size_t column;
  size_t count;
  size_t image;
  size_t y;
  size_t x;
};

struct Panel {
  size_t width;  // columns in use
  size_t runs;
  Run run[kPanel];
};

// The panel whose first column is grid position `begin`, counted over all images.
inline void FillPanel(const ConvShape& s, size_t begin, size_t width, Panel& panel) {
  panel.width = width;
  panel.runs = 0;
  size_t x = begin % s.x.grid;
  size_t y = begin / s.x.grid % s.y.grid;
  size_t image = begin / s.x.grid / s.y.grid;
  for (size_t column = 0; column < width;) {
    const size_t count = std::min(width - column, s.x.grid - x);
    panel.run[panel.runs++] = {column, count, image, y, x};
    column += count;
    x = 0;
    if (++y == s.y.grid) {
      y = 0;
      ++image;
    }
  }
}

// One group's share of a call.
struct Share {
  const ConvShape* shape;
  const float* x;
  const float* packed;
  ConvEpilogue epilogue;
  float* out;
};

}  // namespace
}  // namespace sigserve::kernels
#endif  // SIGSERVE_CONV_CONSTANTS

#if defined(__clang__)
#define SIGSERVE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SIGSERVE_UNROLL _Pragma("GCC unroll 32")
#endif

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
constexpr size_t kLanes = hn::MaxLanes(D());
// Sums in registers: of 32 on AVX-512, of 16 elsewhere.
constexpr size_t kTileRows = kLanes >= 16 ? 12 : 6;

// sums[r][c] (+)= weights[k][r] * patches[k][c]. `next`: the weights needed after these, which the
// CPU does not foresee.
template <size_t R, size_t V>
HWY_INLINE void Tile(const float* weights, const float* next, const float* patches, size_t depth,
                     bool first, float* sums) {
  const D d;
  hn::Vec<D> sum[R][V];
  SIGSERVE_UNROLL
  for (size_t r = 0; r < R; ++r) {
    SIGSERVE_UNROLL
    for (size_t v = 0; v < V; ++v) {
      sum[r][v] = first ? hn::Zero(d) : hn::LoadU(d, sums + r * kPanel + v * kLanes);
    }
  }
  for (size_t k = 0; k < depth; ++k) {
    __builtin_prefetch(next + k * kRows, 0, 2);  // into L2
    hn::Vec<D> patch[V];
    SIGSERVE_UNROLL
    for (size_t v = 0; v < V; ++v) {
      patch[v] = hn::LoadU(d, patches + k * kPanel + v * kLanes);
    }
    SIGSERVE_UNROLL
    for (size_t r = 0; r < R; ++r) {
      const auto weight = hn::Set(d, weights[k * kRows + r]);
      SIGSERVE_UNROLL
      for (size_t v = 0; v < V; ++v) {
        sum[r][v] = hn::MulAdd(weight, patch[v], sum[r][v]);
      }
    }
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
HWY_NOINLINE void Columns(const float* weights, const float* next, const float* patches,
                          size_t depth, bool first, size_t width, float* sums) {
  size_t column = 0;
  for (; column + kLanes < width; column += 2 * kLanes) {
    Tile<R, 2>(weights, next, patches + column, depth, first, sums + column);
  }
  if (column < width) {
    Tile<R, 1>(weights, next, patches + column, depth, first, sums + column);
  }
}

template <size_t R>
HWY_INLINE void LastRows(const float* weights, const float* next, const float* patches,
                         size_t depth, bool first, size_t width, size_t rows, float* sums) {
  if constexpr (R > 0) {
    if (rows == R) {
      Columns<R>(weights, next, patches, depth, first, width, sums);
    } else {
      LastRows<R - 1>(weights, next, patches, depth, first, width, rows, sums);
    }
  }
}

// weights: blocks of [total_depth][12], at their first k. Rows start at a block.
void Multiply(const float* weights, size_t total_depth, const float* patches, size_t depth,
              bool first, size_t width, size_t rows, float* sums) {
  for (size_t row = 0; row < rows; row += kTileRows) {
    const float* w = weights + row / kRows * kRows * total_depth + row % kRows;
    const float* next = row + kRows < rows ? w + kRows * total_depth : w;
    LastRows<kTileRows>(w, next, patches, depth, first, width, std::min(kTileRows, rows - row),
                        sums + row * kPanel);
  }
}

// Up to a vector of columns of one tap: lanes [begin, end) come from x, `step` apart, the others up
// to `count` are zero. `source` is where lane `begin` reads.
struct Piece {
  const float* source;
  size_t step;
  size_t begin;
  size_t end;
  size_t count;
};

// Copies the piece of `channels` channels: to[channel][32].
HWY_INLINE void CopyPiece(const Piece& piece, size_t channels, size_t channel_stride, float* to) {
#if HWY_TARGET <= HWY_AVX2  // has masked loads and stores, which touch no other memory
  const D d;
  const hn::RebindToSigned<D> di;
  const auto stored = hn::FirstN(d, piece.count);
  if (piece.begin == piece.end) {
    for (size_t c = 0; c < channels; ++c) {
      hn::BlendedStore(hn::Zero(d), stored, d, to + c * kPanel);
    }
    return;
  }
  const auto read = hn::AndNot(hn::FirstN(d, piece.begin), hn::FirstN(d, piece.end));
  const float* from = piece.source;
  if (piece.step == 1) {
    from -= piece.begin;
    if (piece.end - piece.begin == kLanes) {
      for (size_t c = 0; c < channels; ++c) {
        hn::StoreU(hn::LoadU(d, from + c * channel_stride), d, to + c * kPanel);
      }
      return;
    }
    for (size_t c = 0; c < channels; ++c) {
      hn::BlendedStore(hn::MaskedLoad(read, d, from + c * channel_stride), stored, d,
                       to + c * kPanel);
    }
    return;
  }
  // Lanes that are not read point at one that is.
  const auto lane = hn::Iota(di, 0);
  const auto first = hn::Set(di, static_cast<int>(piece.begin));
  const auto last = hn::Set(di, static_cast<int>(piece.end) - 1);
  const auto clamped = hn::Sub(hn::Min(hn::Max(lane, first), last), first);
  const auto index = hn::Mul(clamped, hn::Set(di, static_cast<int>(piece.step)));
  for (size_t c = 0; c < channels; ++c) {
    const auto values = hn::GatherIndex(d, from + c * channel_stride, index);
    hn::BlendedStore(hn::IfThenElseZero(read, values), stored, d, to + c * kPanel);
  }
#else
  for (size_t c = 0; c < channels; ++c) {
    const float* from = piece.source + c * channel_stride;
    for (size_t i = 0; i < piece.count; ++i) {
      const bool inside = i >= piece.begin && i < piece.end;
      to[c * kPanel + i] = inside ? from[(i - piece.begin) * piece.step] : 0.0F;
    }
  }
#endif
}

// One tap of some channels, from `x`, the first of these channels of image 0.
void GatherTap(const ConvShape& s, const Panel& panel, size_t tap, const float* x, size_t channels,
               float* to) {
  const size_t plane = s.y.input * s.x.input;
  const size_t image = s.groups * s.in_channels * plane;
  const ptrdiff_t tap_y = s.y.first + static_cast<ptrdiff_t>(tap / s.x.taps) * s.y.tap_step;
  const ptrdiff_t tap_x = s.x.first + static_cast<ptrdiff_t>(tap % s.x.taps) * s.x.tap_step;
  const auto step = static_cast<ptrdiff_t>(s.x.step);
  const auto width = static_cast<ptrdiff_t>(s.x.input);
  for (size_t r = 0; r < panel.runs; ++r) {
    const Run& run = panel.run[r];
    const ptrdiff_t y = static_cast<ptrdiff_t>(run.y * s.y.step) + tap_y;
    const bool inside = y >= 0 && y < static_cast<ptrdiff_t>(s.y.input);
    for (size_t i = 0; i < run.count; i += kLanes) {
      Piece piece{nullptr, s.x.step, 0, 0, std::min(kLanes, run.count - i)};
      const ptrdiff_t at = static_cast<ptrdiff_t>(run.x + i) * step + tap_x;
      if (inside && at < width) {
        const ptrdiff_t skipped = at < 0 ? (-at + step - 1) / step : 0;
        const ptrdiff_t last = (width - 1 - at) / step + 1;
        const auto count = static_cast<ptrdiff_t>(piece.count);
        if (skipped < std::min(last, count)) {
          piece.begin = static_cast<size_t>(skipped);
          piece.end = static_cast<size_t>(std::min(last, count));
          piece.source =
              x + run.image * image + static_cast<size_t>(y * width + at + skipped * step);
        }
      }
      CopyPiece(piece, channels, plane, to + run.column + i);
    }
  }
}

// Patches [k, k + count) of a panel.
void Gather(const ConvShape& s, const Panel& panel, const float* x, size_t k, size_t count,
            float* to) {
  if (panel.width < kPanel) {
    std::fill_n(to, count * kPanel, 0.0F);
  }
  const size_t plane = s.y.input * s.x.input;
  for (const size_t end = k + count; k < end;) {
    const size_t channel = k % s.in_channels;
    const size_t channels = std::min(s.in_channels - channel, end - k);
    GatherTap(s, panel, k / s.in_channels, x + channel * plane, channels, to);
    to += channels * kPanel;
    k += channels;
  }
}

template <class V>
HWY_INLINE V Activate(const ConvEpilogue& e, V x) {
  const D d;
  const V zero = hn::Zero(d);
  const V alpha = hn::Set(d, e.alpha);
  const V beta = hn::Set(d, e.beta);
  switch (e.activation) {
    case ConvActivation::kNone:
      break;
    case ConvActivation::kRelu:
      return hn::IfThenElse(hn::Lt(x, zero), zero, x);
    case ConvActivation::kGreater:
      return hn::IfThenElse(hn::Gt(x, alpha), x, beta);
    case ConvActivation::kAbove:
      return hn::IfThenElse(hn::Le(x, alpha), beta, x);
    case ConvActivation::kClip:
      x = hn::IfThenElse(hn::Lt(x, alpha), alpha, x);
      return hn::IfThenElse(hn::Gt(x, beta), beta, x);
    case ConvActivation::kLeaky:
      return hn::IfThenElse(hn::Lt(x, zero), hn::Mul(alpha, x), x);
  }
  return x;
}

// Finishes the sums of a row of a panel and puts them where they belong.
void Finish(const Share& share, const Panel& panel, size_t row, float* sums) {
  const ConvShape& s = *share.shape;
  const D d;
  const ConvEpilogue& e = share.epilogue;
  const auto bias = hn::Set(d, e.bias == nullptr ? 0.0F : e.bias[row]);
  for (size_t i = 0; i < kPanel; i += kLanes) {
    auto x = hn::LoadU(d, sums + i);
    x = e.bias == nullptr ? x : hn::Add(x, bias);
    hn::StoreU(Activate(e, x), d, sums + i);
  }
  for (size_t r = 0; r < panel.runs; ++r) {
    const Run& run = panel.run[r];
    const size_t y = s.y.out_first + run.y * s.y.out_step;
    const size_t channel = run.image * s.groups * s.out_channels + row;
    float* to =
        share.out + (channel * s.y.output + y) * s.x.output + s.x.out_first + run.x * s.x.out_step;
    const float* from = sums + run.column;
    if (s.x.out_step == 1) {
      std::copy_n(from, run.count, to);
    } else {
      for (size_t i = 0; i < run.count; ++i) {
        to[i * s.x.out_step] = from[i];
      }
    }
  }
}

// All positions for output channels [row, row + rows) of one group.
void ConvolveRows(const Share& share, size_t row, size_t rows) {
  const ConvShape& s = *share.shape;
  const size_t positions = s.batch * s.y.grid * s.x.grid;
  const size_t depth = s.depth();
  HWY_ALIGN float patches[kBlockK * kPanel];
  HWY_ALIGN float sums[kPanels * kBlockRows * kPanel];
  Panel panels[kPanels];
  for (size_t begin = 0; begin < positions; begin += kPanels * kPanel) {
    const size_t end = std::min(positions, begin + kPanels * kPanel);
    const size_t count = (end - begin + kPanel - 1) / kPanel;
    for (size_t p = 0; p < count; ++p) {
      const size_t at = begin + p * kPanel;
      FillPanel(s, at, std::min(kPanel, end - at), panels[p]);
    }
    if (depth == 0) {
      std::fill_n(sums, count * rows * kPanel, 0.0F);
    }
    for (size_t k = 0; k < depth; k += kBlockK) {
      const size_t block = std::min(kBlockK, depth - k);
      for (size_t p = 0; p < count; ++p) {
        Gather(s, panels[p], share.x, k, block, patches);
        Multiply(share.packed + row * depth + k * kRows, depth, patches, block, k == 0,
                 panels[p].width, rows, sums + p * rows * kPanel);
      }
    }
    for (size_t r = 0; r < rows; ++r) {
      for (size_t p = 0; p < count; ++p) {
        Finish(share, panels[p], row + r, sums + (p * rows + r) * kPanel);
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
  for (size_t row = 0; row < shape.out_channels; ++row) {
    float* to = packed.data() + row / kRows * kRows * depth + row % kRows;
    for (size_t y = 0; y < shape.y.taps; ++y) {
      for (size_t x = 0; x < shape.x.taps; ++x) {
        const float* from =
            weights.data + row * weights.row_stride + y * weights.y_stride + x * weights.x_stride;
        for (size_t c = 0; c < shape.in_channels; ++c) {
          *to = from[c * weights.channel_stride];
          to += kRows;
        }
      }
    }
  }
}

void Convolve(const ConvShape& shape, const float* x, const float* packed,
              const ConvEpilogue& epilogue, float* out) {
  const auto run = HWY_DYNAMIC_DISPATCH(ConvolveRows);
  for (size_t group = 0; group < shape.groups; ++group) {
    Share share{&shape, x + group * shape.in_channels * shape.y.input * shape.x.input,
                packed + group * PackedConvSize(shape.out_channels, shape.depth()), epilogue,
                out + group * shape.out_channels * shape.y.output * shape.x.output};
    if (epilogue.bias != nullptr) {
      share.epilogue.bias = epilogue.bias + group * shape.out_channels;
    }
    for (size_t row = 0; row < shape.out_channels; row += kBlockRows) {
      run(share, row, std::min(kBlockRows, shape.out_channels - row));
    }
  }
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
