// For conv.cc: which columns of the product lie side by side in memory, and the copy of their
// patches. Included once per CPU target, as Highway's own -inl.h headers are.
#if defined(SIGSERVE_MODEL_KERNELS_CONV_GATHER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SIGSERVE_MODEL_KERNELS_CONV_GATHER_INL_H_
#undef SIGSERVE_MODEL_KERNELS_CONV_GATHER_INL_H_
#else
#define SIGSERVE_MODEL_KERNELS_CONV_GATHER_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "model/kernels/conv.h"

#ifndef SIGSERVE_CONV_PANEL
#define SIGSERVE_CONV_PANEL
namespace sigserve::kernels {

constexpr size_t kPanel = 32;  // columns: positions of the grid

}  // namespace sigserve::kernels
#endif  // SIGSERVE_CONV_PANEL

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
constexpr size_t kLanes = hn::MaxLanes(D());
constexpr size_t kCopies = 64;  // of one panel, remembered

// Columns whose positions follow each other: in one row of one image's grid, or in several.
struct Run {
  size_t column;
  size_t count;
  size_t image;
  size_t y;
  size_t x;
};

// For one tap, up to a vector of columns, read from `offset` on: the lanes in `mask`, `step` apart.
// The others are outside the image: zeros.
struct Copy {
  ptrdiff_t offset;
  uint32_t to;
  uint16_t mask;
  uint16_t count;
};

struct Panel {
  size_t width;  // columns in use
  size_t runs;   // as the output has them
  Run run[kPanel];
  size_t pieces;  // as the input has them, no longer than a vector
  Run piece[kPanel];
  // The copies of taps [first_tap, end_tap) for every channel.
  size_t first_tap;
  size_t end_tap;
  size_t copies;
  Copy copy[kCopies];
};

// Rows of the grid are neighbours in the input, too: a piece may go on in the next row.
inline bool RowsFollow(const ConvShape& s) {
  return s.x.grid == s.x.input && s.x.step == 1 && s.y.step == 1;
}

// The panel whose first column is grid position `begin`, counted over all images.
inline void FillPanel(const ConvShape& s, size_t begin, size_t width, Panel& panel) {
  panel.width = width;
  panel.runs = panel.pieces = 0;
  panel.first_tap = panel.end_tap = 0;
  const bool rows_follow = RowsFollow(s);
  size_t x = begin % s.x.grid;
  size_t y = begin / s.x.grid % s.y.grid;
  size_t image = begin / s.x.grid / s.y.grid;
  size_t open = 0;  // columns that the last piece may still take
  for (size_t column = 0; column < width;) {
    const size_t count = std::min(width - column, s.x.grid - x);
    panel.run[panel.runs++] = {column, count, image, y, x};
    for (size_t done = 0; done < count;) {
      if (open == 0) {
        panel.piece[panel.pieces++] = {column + done, 0, image, y, x + done};
        open = kLanes;
      }
      const size_t taken = std::min(open, count - done);
      panel.piece[panel.pieces - 1].count += taken;
      done += taken;
      open -= taken;
    }
    column += count;
    x = 0;
    if (++y == s.y.grid) {
      y = 0;
      ++image;
      open = 0;
    }
    if (!rows_follow) open = 0;
  }
}

// The lanes of a piece, as bits, whose tap is inside the image.
inline uint32_t LanesInside(const ConvShape& s, const Run& piece, ptrdiff_t tap_y,
                            ptrdiff_t tap_x) {
  const auto height = static_cast<ptrdiff_t>(s.y.input);
  const auto width = static_cast<ptrdiff_t>(s.x.input);
  const auto step = static_cast<ptrdiff_t>(s.x.step);
  uint32_t mask = 0;
  size_t y = piece.y;
  size_t x = piece.x;
  for (size_t lane = 0; lane < piece.count; ++y, x = 0) {
    const size_t count = std::min(piece.count - lane, s.x.grid - x);
    const ptrdiff_t at_y = static_cast<ptrdiff_t>(y * s.y.step) + tap_y;
    const ptrdiff_t at_x = static_cast<ptrdiff_t>(x) * step + tap_x;
    if (at_y >= 0 && at_y < height && at_x < width) {
      const ptrdiff_t begin = at_x < 0 ? (-at_x + step - 1) / step : 0;
      const ptrdiff_t end = std::min(static_cast<ptrdiff_t>(count), (width - 1 - at_x) / step + 1);
      if (begin < end) mask |= ((1U << end) - (1U << begin)) << lane;
    }
    lane += count;
  }
  return mask;
}

// Remembers the copies of taps [begin, end), the first of which goes to row `row` of the patches.
inline void FillCopies(const ConvShape& s, size_t begin, size_t end, size_t row, Panel& panel) {
  const size_t image = s.groups * s.in_channels * s.y.input * s.x.input;
  const auto width = static_cast<ptrdiff_t>(s.x.input);
  panel.first_tap = begin;
  panel.end_tap = end;
  panel.copies = 0;
  for (size_t tap = begin; tap < end; ++tap, ++row) {
    const ptrdiff_t tap_y = s.y.first + static_cast<ptrdiff_t>(tap / s.x.taps) * s.y.tap_step;
    const ptrdiff_t tap_x = s.x.first + static_cast<ptrdiff_t>(tap % s.x.taps) * s.x.tap_step;
    for (size_t p = 0; p < panel.pieces; ++p) {
      const Run& piece = panel.piece[p];
      const ptrdiff_t y = static_cast<ptrdiff_t>(piece.y * s.y.step) + tap_y;
      const ptrdiff_t x = static_cast<ptrdiff_t>(piece.x * s.x.step) + tap_x;
      Copy& copy = panel.copy[panel.copies++];
      copy.offset = static_cast<ptrdiff_t>(piece.image * image) + y * width + x;
      copy.to = static_cast<uint32_t>(row * kPanel + piece.column);
      copy.mask = static_cast<uint16_t>(LanesInside(s, piece, tap_y, tap_x));
      // A whole vector where the panel has room: what is too much is overwritten by the next piece.
      copy.count = static_cast<uint16_t>(piece.column + kLanes <= kPanel ? kLanes : piece.count);
    }
  }
}

// x: the channel in image 0.
HWY_INLINE void CopyLanes(const Copy& copy, size_t step, const float* x, float* to) {
#if HWY_TARGET <= HWY_AVX2  // has masked loads and stores, which touch no other memory
  const D d;
  const hn::RebindToSigned<D> di;
  constexpr uint16_t kAll = (1U << kLanes) - 1;
  if (copy.mask == kAll && step == 1) {  // and so has a full count
    hn::StoreU(hn::LoadU(d, x + copy.offset), d, to);
    return;
  }
  auto values = hn::Zero(d);
  if (copy.mask != 0) {
    const uint8_t bits[8] = {static_cast<uint8_t>(copy.mask), static_cast<uint8_t>(copy.mask >> 8)};
    const auto inside = hn::LoadMaskBits(d, bits);
    if (step == 1) {
      values = hn::MaskedLoad(inside, d, x + copy.offset);
    } else {  // lanes outside read what one inside does
      const auto first = hn::Set(di, __builtin_ctz(copy.mask));
      const auto last = hn::Set(di, 31 - __builtin_clz(copy.mask));
      const auto lane = hn::Min(hn::Max(hn::Iota(di, 0), first), last);
      const auto index = hn::Mul(lane, hn::Set(di, static_cast<int>(step)));
      values = hn::IfThenElseZero(inside, hn::GatherIndex(d, x + copy.offset, index));
    }
  }
  if (copy.count == kLanes) {
    hn::StoreU(values, d, to);
  } else {
    hn::BlendedStore(values, hn::FirstN(d, copy.count), d, to);
  }
#else
  for (size_t i = 0; i < copy.count; ++i) {
    const bool inside = (copy.mask >> i & 1) != 0;
    to[i] = inside ? x[copy.offset + static_cast<ptrdiff_t>(i * step)] : 0.0F;
  }
#endif
}

// A block of a product's depth: taps [first_tap, first_tap + taps) of some channels, of all taps if
// there are several channels. Row channel * taps + tap.
struct Block {
  size_t channel;
  size_t channels;
  size_t first_tap;
  size_t taps;
};

// Patches of a panel: to[row of the block][32].
HWY_INLINE void Gather(const ConvShape& s, Panel& panel, const float* x, const Block& block,
                       float* to) {
  const size_t plane = s.y.input * s.x.input;
  const size_t end = block.first_tap + block.taps;
  const size_t step = s.x.step;
  const size_t together = std::max<size_t>(1, kCopies / panel.pieces);
  for (size_t tap = block.first_tap; tap < end; tap += together) {
    const size_t last = std::min(end, tap + together);
    if (panel.first_tap != tap || panel.end_tap != last) {
      FillCopies(s, tap, last, tap - block.first_tap, panel);
    }
    for (size_t c = 0; c < block.channels; ++c) {
      const float* from = x + (block.channel + c) * plane;
      float* rows = to + c * block.taps * kPanel;
      // What the next block of this panel reads comes while this one is multiplied.
      for (size_t i = 0; i < panel.pieces; ++i) {
        const float* next = from + block.channels * plane;
        __builtin_prefetch(next + panel.copy[i].offset, 0, 2);
        __builtin_prefetch(next + panel.copy[panel.copies - 1 - i].offset + kLanes - 1, 0, 2);
      }
      for (size_t i = 0; i < panel.copies; ++i) {
        CopyLanes(panel.copy[i], step, from, rows + panel.copy[i].to);
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
