#include "model/kernels/gemm.h"

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/gemm.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"
#include "model/kernels/narrow_gemm.h"

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

void PackPanel(const MatrixView& w, size_t k_begin, size_t k_count, size_t column, float* to) {
  const size_t width = std::min(kPanel, w.columns - column);
  const float* from = w.data + k_begin * w.row_stride + column * w.column_stride;
  if (w.column_stride == 1 && width == kPanel) {
    for (size_t k = 0; k < k_count; ++k) {
      std::copy_n(from + k * w.row_stride, kPanel, to + k * kPanel);
    }
    return;
  }
  if (width < kPanel) {
    std::fill_n(to, k_count * kPanel, 0.0F);
  }
  // Eight rows at a time: a transposed matrix is read along its lines.
  for (size_t k0 = 0; k0 < k_count; k0 += 8) {
    for (size_t c = 0; c < width; ++c) {
      for (size_t k = k0; k < std::min(k0 + 8, k_count); ++k) {
        to[k * kPanel + c] = from[k * w.row_stride + c * w.column_stride];
      }
    }
  }
}

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
          PackPanel(w, k, s.k, column, packed);
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
    PackPanel(w, 0, w.rows, column, packed.data() + column * w.rows);
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
