#include "model/kernels/gemm.h"

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/gemm.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"
#include "model/kernels/narrow_gemm.h"
#include "model/kernels/unroll.h"

// How a product is cut up. Rows are taken in tiles of a few, columns in groups of a few vectors,
// both as wide as the registers allow; k in blocks, so that one block of a panel stays in L1. None
// of this changes a bit: between blocks the sums rest in the output and are then continued.

#ifndef SIGSERVE_GEMM_CONSTANTS
#define SIGSERVE_GEMM_CONSTANTS
namespace sigserve::kernels {
namespace {

constexpr size_t kPanel = 32;       // columns of a panel of packed weights
constexpr size_t kBlockK = 256;     // a block of a panel: 32 KB
constexpr size_t kBlockRows = 480;  // their share of k: at most 480 KB, within L2

// Some rows of a panel to be packed: columns [column, column + width) of w.
struct Packing {
  const float* from;  // the first row and column
  size_t row_stride;
  size_t column_stride;
  size_t rows;
  size_t width;
  float* to;  // [rows][32]
};

// One step of a product: the same k-block for some rows and one or more panels.
struct Step {
  const float* x;
  size_t x_row_stride;
  size_t x_column_stride;
  const float* w;       // [panel][k][32]
  size_t panel_stride;  // floats from a panel to the next
  size_t panels;        // from w on
  ptrdiff_t rewind;     // floats from w to the block that is needed after all of them; 0: none is
  bool prefetch;        // the jump from one panel to the next, which the CPU does not foresee
  size_t k;
  float* out;
  size_t out_stride;
  const float* bias;  // null: none
  bool first;         // start from 0, else from `out`
  bool last;          // apply the epilogue
  bool relu;
};

}  // namespace
}  // namespace sigserve::kernels
#endif  // SIGSERVE_GEMM_CONSTANTS

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
constexpr size_t kLanes = hn::MaxLanes(D());
// Accumulators: of 32 registers on AVX-512, of 16 elsewhere.
constexpr size_t kAccumulators = kLanes >= 16 ? 24 : 12;
constexpr size_t kTileRows = kAccumulators / 2;

// Vectors per row in a tile of R rows.
constexpr size_t WidestFor(size_t rows) {
  size_t vectors = 8;
  while (vectors > 2 && vectors * rows > kAccumulators) {
    vectors /= 2;
  }
  return vectors;
}

// The transpose of four columns of four numbers each, to four rows of a panel.
HWY_INLINE void TransposeFour(const float* from, size_t column_stride, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t k = 0; k < 4; ++k) {
    for (size_t c = 0; c < 4; ++c) to[k * kPanel + c] = from[c * column_stride + k];
  }
#else
  const hn::FixedTag<float, 4> d;
  const hn::FixedTag<double, 2> pairs;
  const auto c0 = hn::LoadU(d, from);
  const auto c1 = hn::LoadU(d, from + column_stride);
  const auto c2 = hn::LoadU(d, from + 2 * column_stride);
  const auto c3 = hn::LoadU(d, from + 3 * column_stride);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, c0, c1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, c2, c3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, c0, c1));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, c2, c3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23)), d, to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23)), d, to + kPanel);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23)), d, to + 2 * kPanel);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23)), d, to + 3 * kPanel);
#endif
}

void PackPanel(const Packing& p) {
  if (p.column_stride == 1 && p.width == kPanel) {
    for (size_t k = 0; k < p.rows; ++k)
      std::copy_n(p.from + k * p.row_stride, kPanel, p.to + k * kPanel);
    return;
  }
  if (p.width < kPanel) std::fill_n(p.to, p.rows * kPanel, 0.0F);
  // A transposed matrix is read along its lines.
  constexpr size_t kRows = 128;
  for (size_t begin = 0; begin < p.rows; begin += kRows) {
    const size_t end = std::min(begin + kRows, p.rows);
    // Whole blocks of four by four, then what is left to the right of them and below.
    const size_t block_end = p.row_stride == 1 ? begin + (end - begin) / 4 * 4 : begin;
    const size_t block_width = p.row_stride == 1 ? p.width / 4 * 4 : 0;
    for (size_t c = 0; c < block_width; c += 4) {
      for (size_t k = begin; k < block_end; k += 4) {
        TransposeFour(p.from + k + c * p.column_stride, p.column_stride, p.to + k * kPanel + c);
      }
    }
    for (size_t c = 0; c < p.width; ++c) {
      const float* from = p.from + c * p.column_stride;
      for (size_t k = c < block_width ? block_end : begin; k < end; ++k) {
        p.to[k * kPanel + c] = from[k * p.row_stride];
      }
    }
  }
}

// Floats from the weights of a tile within one panel to those that are needed after it; 0 where
// they are at hand.
HWY_INLINE ptrdiff_t NextBlock(const Step& s, size_t column) {
  if (!s.prefetch) return 0;
  const size_t panel = column / kPanel;
  const auto stride = static_cast<ptrdiff_t>(s.panel_stride);
  if (panel + 1 < s.panels) return stride;
  if (s.rewind == 0) return 0;  // these were the last
  return s.rewind - static_cast<ptrdiff_t>(panel) * stride;
}

template <size_t R, size_t V>
HWY_INLINE void FullTile(const Step& s, size_t column) {
  const D d;
  const float* w[V];
  hn::Vec<D> sum[R][V];
  SIGSERVE_UNROLL
  for (size_t v = 0; v < V; ++v) {
    const size_t c = column + v * kLanes;
    w[v] = s.w + c / kPanel * s.panel_stride + c % kPanel;
  }
  SIGSERVE_UNROLL
  for (size_t r = 0; r < R; ++r) {
    SIGSERVE_UNROLL
    for (size_t v = 0; v < V; ++v) {
      sum[r][v] =
          s.first ? hn::Zero(d) : hn::LoadU(d, s.out + r * s.out_stride + column + v * kLanes);
    }
  }
  const float* x = s.x;
  // Wider tiles read several panels at once: streams that the CPU keeps up with.
  constexpr bool kPrefetch = V <= 2;
  const ptrdiff_t next = kPrefetch ? NextBlock(s, column) : 0;
  for (size_t k = 0; k < s.k; ++k) {
    hn::Vec<D> wk[V];
    SIGSERVE_UNROLL
    for (size_t v = 0; v < V; ++v) {
      if (kPrefetch && v * kLanes % 16 == 0) {
        __builtin_prefetch(w[v] + k * kPanel + next, 0, 2);  // into L2
      }
      wk[v] = hn::LoadU(d, w[v] + k * kPanel);
    }
    SIGSERVE_UNROLL
    for (size_t r = 0; r < R; ++r) {
      const auto xk = hn::Set(d, x[r * s.x_row_stride]);
      SIGSERVE_UNROLL
      for (size_t v = 0; v < V; ++v) {
        sum[r][v] = hn::MulAdd(xk, wk[v], sum[r][v]);
      }
    }
    x += s.x_column_stride;
  }
  if (s.last && s.bias != nullptr) {
    SIGSERVE_UNROLL
    for (size_t v = 0; v < V; ++v) {
      const auto bias = hn::LoadU(d, s.bias + column + v * kLanes);
      SIGSERVE_UNROLL
      for (size_t r = 0; r < R; ++r) {
        sum[r][v] = hn::Add(sum[r][v], bias);
      }
    }
  }
  const auto zero = hn::Zero(d);
  SIGSERVE_UNROLL
  for (size_t r = 0; r < R; ++r) {
    SIGSERVE_UNROLL
    for (size_t v = 0; v < V; ++v) {
      if (s.last && s.relu) {  // not Max: it may lose a NaN
        sum[r][v] = hn::IfThenElse(hn::Lt(sum[r][v], zero), zero, sum[r][v]);
      }
      hn::StoreU(sum[r][v], d, s.out + r * s.out_stride + column + v * kLanes);
    }
  }
}

// A tile that sticks out over the last column: computed aside, so that nothing beyond it is
// touched.
template <size_t R, size_t V>
HWY_NOINLINE void EdgeTile(const Step& s, size_t column, size_t width) {
  constexpr size_t kWidth = V * kLanes;
  float out[R * kWidth] = {};
  float bias[kWidth] = {};
  for (size_t r = 0; r < R && !s.first; ++r) {
    std::copy_n(s.out + r * s.out_stride + column, width, out + r * kWidth);
  }
  if (s.bias != nullptr) {
    std::copy_n(s.bias + column, width, bias);
  }
  Step aside = s;
  aside.w = s.w + column / kPanel * s.panel_stride + column % kPanel;
  aside.out = out;
  aside.out_stride = kWidth;
  aside.bias = s.bias != nullptr ? bias : nullptr;
  FullTile<R, V>(aside, 0);
  for (size_t r = 0; r < R; ++r) {
    std::copy_n(out + r * kWidth, width, s.out + r * s.out_stride + column);
  }
}

template <size_t R, size_t V>
HWY_NOINLINE size_t Columns(const Step& s, size_t column, size_t n) {
  for (; column + V * kLanes <= n; column += V * kLanes) {
    FullTile<R, V>(s, column);
  }
  return column;
}

template <size_t R>
void Rows(const Step& s, size_t n) {
  size_t column = 0;
  if constexpr (WidestFor(R) > 2) {
    column = Columns<R, WidestFor(R)>(s, column, n);
  }
  column = Columns<R, 2>(s, column, n);
  if (n - column > kLanes) {
    EdgeTile<R, 2>(s, column, n - column);
  } else if (n - column == kLanes) {
    Columns<R, 1>(s, column, n);
  } else if (n > column) {
    EdgeTile<R, 1>(s, column, n - column);
  }
}

template <size_t R>
HWY_INLINE void LastRows(const Step& s, size_t rows, size_t n) {
  if constexpr (R > 0) {
    if (rows == R) {
      Rows<R>(s, n);
    } else {
      LastRows<R - 1>(s, rows, n);
    }
  }
}

// `n` columns, of as many panels as that needs.
void RunStep(const Step& step, size_t rows, size_t n) {
  Step s = step;
  while (rows > 0) {
    const size_t count = std::min(rows, kTileRows);
    LastRows<kTileRows>(s, count, n);
    s.prefetch = false;  // the first tile has
    s.x += count * s.x_row_stride;
    s.out += count * s.out_stride;
    rows -= count;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {
namespace {

HWY_EXPORT(RunStep);
HWY_EXPORT(PackPanel);

// Rows [row, row + rows) of the panel that begins with `column`.
void Pack(const MatrixView& w, size_t row, size_t rows, size_t column, float* to) {
  HWY_DYNAMIC_DISPATCH(PackPanel)
  ({w.data + row * w.row_stride + column * w.column_stride, w.row_stride, w.column_stride, rows,
    std::min(kPanel, w.columns - column), to});
}

// Walks blocks of k, of rows, and panels. `panels`: packed weights, or null to pack from `w`.
void Multiply(const MatrixView& x, const float* panels, const MatrixView& w,
              const GemmEpilogue& epilogue, float* out) {
  const auto run = HWY_DYNAMIC_DISPATCH(RunStep);
  const size_t n = w.columns;
  alignas(64) float packed[kBlockK * kPanel];
  Step s;
  s.x_row_stride = x.row_stride;
  s.x_column_stride = x.column_stride;
  s.panel_stride = x.columns * kPanel;
  s.out_stride = n;
  s.relu = epilogue.activation == Activation::kRelu;
  for (size_t k = 0; k < std::max<size_t>(x.columns, 1); k += kBlockK) {
    s.k = std::min(kBlockK, x.columns - k);
    s.first = k == 0 && !epilogue.accumulate;
    s.last = k + s.k == x.columns;
    for (size_t row = 0; row < x.rows; row += kBlockRows) {
      const size_t rows = std::min(kBlockRows, x.rows - row);
      s.x = x.data + row * x.row_stride + k * x.column_stride;
      if (panels != nullptr && rows < 12) {  // few rows: let tiles span panels
        s.w = panels + k * kPanel;
        s.out = out + row * n;
        s.bias = epilogue.bias;
        s.panels = (n + kPanel - 1) / kPanel;
        s.rewind = s.last ? 0 : static_cast<ptrdiff_t>(kBlockK * kPanel);
        s.prefetch = true;
        run(s, rows, n);
        continue;
      }
      for (size_t column = 0; column < n; column += kPanel) {
        if (panels != nullptr) {
          s.w = panels + column * x.columns + k * kPanel;
        } else {
          Pack(w, k, s.k, column, packed);
          s.w = packed;
        }
        s.out = out + row * n + column;
        s.bias = epilogue.bias == nullptr ? nullptr : epilogue.bias + column;
        s.panels = 1;
        s.rewind = static_cast<ptrdiff_t>(s.panel_stride);
        s.prefetch = panels != nullptr && column + kPanel < n;
        run(s, rows, std::min(kPanel, n - column));
      }
    }
  }
}

}  // namespace

size_t PackedSize(size_t k, size_t n) {
  return n <= kMaxNarrowColumns ? NarrowPackedSize(k, n) : (n + kPanel - 1) / kPanel * kPanel * k;
}

void PackWeights(const MatrixView& w, absl::Span<float> packed) {
  if (w.columns <= kMaxNarrowColumns) {
    PackNarrow(w, packed.data());
    return;
  }
  for (size_t column = 0; column < w.columns; column += kPanel) {
    Pack(w, 0, w.rows, column, packed.data() + column * w.rows);
  }
}

void GemmPacked(const MatrixView& x, const float* packed, size_t n, const GemmEpilogue& epilogue,
                float* out) {
  if (n <= kMaxNarrowColumns) {
    NarrowGemm(x, packed, n, epilogue, out);
    return;
  }
  MatrixView w;
  w.columns = n;
  Multiply(x, packed, w, epilogue, out);
}

void Gemm(const MatrixView& x, const MatrixView& w, const GemmEpilogue& epilogue, float* out) {
  Multiply(x, nullptr, w, epilogue, out);
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
