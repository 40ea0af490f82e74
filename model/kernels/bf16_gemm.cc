#include "model/kernels/bf16_gemm.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "model/base/log.h"
#include "model/kernels/bf16_tile_product.h"
#include "model/kernels/bf16_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/bf16_gemm.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"
#include "model/kernels/bf16-inl.h"

// How a product is cut up. Some rows at a time, and of k as much as fits the buffer that their
// rounded numbers lie in: numbers for tiles, the same as floats for vectors. Vectors take rows in
// groups and columns in vectors, as wide as the registers allow. Between blocks of k the sums rest
// in the output. None of this changes a bit.

#ifndef SIGSERVE_BF16_GEMM_STEP
#define SIGSERVE_BF16_GEMM_STEP
namespace sigserve::kernels {
namespace {

struct Bf16Step {
  const float* x;  // rounded: [row][k]
  size_t x_stride;
  const uint16_t* w;    // [panel][chunk][16][16][2]
  size_t panel_stride;  // numbers from a panel to the next
  size_t chunks;
  bool first;  // start from 0, else from `out`
  float* out;
  size_t out_stride;
};

}  // namespace
}  // namespace sigserve::kernels
#endif  // SIGSERVE_BF16_GEMM_STEP

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
constexpr size_t kLanes = hn::MaxLanes(D());

// Rounded rows of x as floats: to[row][depth], filled with zeros from `count` on.
void RoundRows(const MatrixView& x, size_t count, size_t depth, float* to) {
  const D d;
  for (size_t r = 0; r < x.rows; ++r, to += depth) {
    const float* from = x.data + r * x.row_stride;
    size_t k = 0;
    if (x.column_stride == 1) {
      for (; k + kLanes <= count; k += kLanes) {
        hn::StoreU(hn::BitCast(d, Rounded(hn::LoadU(d, from + k))), d, to + k);
      }
    }
    for (; k < count; ++k) to[k] = FromBf16(RoundToBf16(from[k * x.column_stride]));
    std::fill(to + count, to + depth, 0.0F);
  }
}

// The same as tiles: to[row / 16][chunk][16][32], the last rows filled with zeros.
void RoundTiles(const MatrixView& x, size_t count, size_t chunks, uint16_t* to) {
  const D d;
  const hn::Rebind<uint16_t, D> numbers;
  const size_t rows = (x.rows + kTileRows - 1) / kTileRows * kTileRows;
  for (size_t r = 0; r < rows; ++r) {
    uint16_t* line = to + r / kTileRows * chunks * kTileNumbers + r % kTileRows * kChunk;
    const float* from = x.data + r * x.row_stride;
    for (size_t k = 0; k < chunks * kChunk; k += kChunk, line += kTileNumbers) {
      const size_t whole = r < x.rows ? std::min(kChunk, count - k) : 0;
      size_t i = 0;
      if (x.column_stride == 1) {
        for (; i + kLanes <= whole; i += kLanes) {
          hn::StoreU(Narrowed(hn::LoadU(d, from + k + i)), numbers, line + i);
        }
      }
      for (; i < whole; ++i) line[i] = RoundToBf16(from[(k + i) * x.column_stride]);
      std::fill(line + whole, line + kChunk, uint16_t{0});
    }
  }
}

#if SIGSERVE_BF16_VECTORS

// R rows and V vectors of columns, from `column` on.
template <size_t R, size_t V>
HWY_INLINE void FullTile(const Bf16Step& s, size_t column) {
  const D d;
  const hn::Repartition<uint16_t, D> numbers;
  const uint16_t* w[V];
  float* out = s.out + column;
  SIGSERVE_UNROLL
  for (size_t v = 0; v < V; ++v) {
    const size_t c = column + v * kLanes;
    w[v] = s.w + c / kTileColumns * s.panel_stride + c % kTileColumns * 2;
  }
  const float* x = s.x;
  for (size_t chunk = 0; chunk < s.chunks; ++chunk) {
    hn::Vec<D> even[R][V];
    hn::Vec<D> odd[R][V];
    SIGSERVE_UNROLL
    for (size_t r = 0; r < R; ++r) {
      SIGSERVE_UNROLL
      for (size_t v = 0; v < V; ++v) even[r][v] = odd[r][v] = hn::Zero(d);
    }
    for (size_t p = 0; p < kChunk / 2; ++p) {
      hn::Vec<D> w_even[V];
      hn::Vec<D> w_odd[V];
      SIGSERVE_UNROLL
      for (size_t v = 0; v < V; ++v) {
        const auto both = hn::LoadU(numbers, w[v]);
        w_even[v] = EvenOf(both);
        w_odd[v] = OddOf(both);
        w[v] += 2 * kTileColumns;
      }
      SIGSERVE_UNROLL
      for (size_t r = 0; r < R; ++r) {
        const auto x_even = hn::Set(d, x[r * s.x_stride]);
        const auto x_odd = hn::Set(d, x[r * s.x_stride + 1]);
        SIGSERVE_UNROLL
        for (size_t v = 0; v < V; ++v) {
          even[r][v] = hn::MulAdd(x_even, w_even[v], even[r][v]);
          odd[r][v] = hn::MulAdd(x_odd, w_odd[v], odd[r][v]);
        }
      }
      x += 2;
    }
    const bool first = s.first && chunk == 0;
    SIGSERVE_UNROLL
    for (size_t r = 0; r < R; ++r) {
      SIGSERVE_UNROLL
      for (size_t v = 0; v < V; ++v) {
        float* to = out + r * s.out_stride + v * kLanes;
        const auto sum = first ? hn::Zero(d) : hn::LoadU(d, to);
        hn::StoreU(hn::Add(sum, hn::Add(even[r][v], odd[r][v])), d, to);
      }
    }
  }
}

// The columns from `column` on where they are less than V vectors: computed aside.
template <size_t R, size_t V>
HWY_NOINLINE void EdgeTile(const Bf16Step& s, size_t column, size_t width) {
  constexpr size_t kWidth = V * kLanes;
  float aside[R * kWidth] = {};
  for (size_t r = 0; r < R && !s.first; ++r) {
    std::copy_n(s.out + r * s.out_stride + column, width, aside + r * kWidth);
  }
  Bf16Step step = s;
  step.w = s.w + column / kTileColumns * s.panel_stride + column % kTileColumns * 2;
  step.out = aside;
  step.out_stride = kWidth;
  FullTile<R, V>(step, 0);
  for (size_t r = 0; r < R; ++r) {
    std::copy_n(aside + r * kWidth, width, s.out + r * s.out_stride + column);
  }
}

// Sums: of 32 registers on AVX-512, of 16 elsewhere; each output has two. Two vectors at a time:
// with one, loads of x would be the limit.
constexpr size_t kOutputs = kLanes >= 16 ? 12 : 6;
constexpr size_t kGroupRows = kOutputs / 2;
constexpr size_t Bf16WidestFor(size_t rows) {
  size_t vectors = kLanes >= 16 ? 8 : 4;
  while (vectors > 1 && vectors * rows > kOutputs) vectors /= 2;
  return vectors;
}

template <size_t R, size_t V>
HWY_NOINLINE void Columns(const Bf16Step& s, size_t column, size_t n) {
  for (; column + V * kLanes <= n; column += V * kLanes) FullTile<R, V>(s, column);
  if (column == n) return;
  if constexpr (V > 1) {
    Columns<R, V / 2>(s, column, n);
  } else {
    EdgeTile<R, 1>(s, column, n - column);
  }
}

template <size_t R>
HWY_INLINE void Rows(const Bf16Step& s, size_t rows, size_t n) {
  if constexpr (R > 0) {
    if (rows == R) {
      Columns<R, Bf16WidestFor(R)>(s, 0, n);
    } else {
      Rows<R - 1>(s, rows, n);
    }
  }
}

// Not inlined: see FlushSubnormals.
HWY_NOINLINE void RunVectors(const Bf16Step& step, size_t rows, size_t n) {
  Bf16Step s = step;
  for (size_t groups = (rows + kGroupRows - 1) / kGroupRows; groups > 0; --groups) {
    const size_t count = (rows + groups - 1) / groups;  // groups of about the same size
    Rows<kGroupRows>(s, count, n);
    s.x += count * s.x_stride;
    s.out += count * s.out_stride;
    rows -= count;
  }
}

#else
void RunVectors(const Bf16Step& /*step*/, size_t /*rows*/, size_t /*n*/) {}  // never chosen
#endif  // SIGSERVE_BF16_VECTORS

bool HasVectors() { return SIGSERVE_BF16_VECTORS != 0; }

// Bias and activation of some rows, in place.
void FinishRows(const GemmEpilogue& e, size_t rows, size_t n, float* out) {
  const D d;
  const auto zero = hn::Zero(d);
  const bool relu = e.activation == Activation::kRelu;
  for (size_t r = 0; r < rows; ++r, out += n) {
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      auto y = hn::LoadU(d, out + i);
      if (e.bias != nullptr) y = hn::Add(y, hn::LoadU(d, e.bias + i));
      if (relu) y = hn::IfThenElse(hn::Lt(y, zero), zero, y);
      hn::StoreU(y, d, out + i);
    }
    for (; i < n; ++i) {
      if (e.bias != nullptr) out[i] += e.bias[i];
      if (relu && out[i] < 0) out[i] = 0;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {
namespace {

HWY_EXPORT(RoundRows);
HWY_EXPORT(RoundTiles);
HWY_EXPORT(RunVectors);
HWY_EXPORT(HasVectors);
HWY_EXPORT(FinishRows);

constexpr size_t kBufferBytes = size_t{128} << 10;
constexpr size_t kBlockChunks = 16;  // makes a panel of 16 KB, which stays in L1 for all rows
constexpr size_t kTileBlockRows = kBufferBytes / (kBlockChunks * kChunk * sizeof(uint16_t));
constexpr size_t kVectorBlockRows = kBufferBytes / (kBlockChunks * kChunk * sizeof(float));
constexpr size_t kFewRows = 6;  // of which no weights are read twice

MatrixView Part(const MatrixView& x, size_t row, size_t rows, size_t k) {
  MatrixView part = x;
  part.data += row * x.row_stride + k * x.column_stride;
  part.rows = rows;
  return part;
}

void MultiplyByTiles(Bf16Unit unit, const MatrixView& x, const uint16_t* packed, size_t n,
                     float* out) {
  alignas(64) uint16_t buffer[kBufferBytes / sizeof(uint16_t)];
  const size_t all = ChunksIn(x.columns);
  TileProduct p{};
  p.left = buffer;
  p.rows = x.rows;
  p.right_stride = all * kTileNumbers;
  p.columns = n;
  p.sums = out;
  p.sums_stride = n;
  for (size_t chunk = 0; chunk < all; chunk += kBlockChunks) {
    p.chunks = std::min(kBlockChunks, all - chunk);
    p.left_stride = p.chunks * kTileNumbers;
    p.right = packed + chunk * kTileNumbers;
    p.first = chunk == 0;
    const size_t k = chunk * kChunk;
    HWY_DYNAMIC_DISPATCH(RoundTiles)
    (Part(x, 0, x.rows, k), std::min(x.columns - k, p.chunks * kChunk), p.chunks, buffer);
#if defined(__x86_64__)
    if (unit == Bf16Unit::kTiles) {
      MultiplyTiles<AmxTiles>(p);
      continue;
    }
#endif
    MultiplyTiles<SoftwareTiles>(p);
  }
}

void MultiplyByVectors(const MatrixView& x, const uint16_t* packed, size_t n, float* out) {
  alignas(64) float buffer[kBufferBytes / sizeof(float)];
  const size_t all = ChunksIn(x.columns);
  const size_t block =
      x.rows <= kFewRows ? kBufferBytes / sizeof(float) / kChunk / x.rows : kBlockChunks;
  Bf16Step s{};
  s.x = buffer;
  s.panel_stride = all * kTileNumbers;
  s.out = out;
  s.out_stride = n;
  const FlushSubnormals flush;
  for (size_t chunk = 0; chunk < all; chunk += block) {
    s.chunks = std::min(block, all - chunk);
    s.x_stride = s.chunks * kChunk;
    s.w = packed + chunk * kTileNumbers;
    s.first = chunk == 0;
    const size_t k = chunk * kChunk;
    HWY_DYNAMIC_DISPATCH(RoundRows)
    (Part(x, 0, x.rows, k), std::min(x.columns - k, s.x_stride), s.x_stride, buffer);
    HWY_DYNAMIC_DISPATCH(RunVectors)(s, x.rows, n);
  }
}

// Whether the tiles give what the reference gives for numbers of about this size.
bool TilesAgree(float size) {
  constexpr size_t kM = 37;
  constexpr size_t kK = 600;
  constexpr size_t kN = 55;
  uint32_t seed = 1;
  const auto number = [&seed, size] {
    seed = seed * 1664525 + 1013904223;
    return size * (static_cast<float>(seed >> 8) / 8388608.0F - 1);
  };
  std::vector<float> x(kM * kK);
  std::vector<float> w(kK * kN);
  std::generate(x.begin(), x.end(), number);
  std::generate(w.begin(), w.end(), number);
  std::vector<uint16_t> packed(PackedBf16Size(kK, kN));
  PackBf16Weights(MatrixView::RowMajor(w.data(), kK, kN), absl::MakeSpan(packed));
  std::vector<float> y(kM * kN);
  std::vector<float> expected(kM * kN);
  const MatrixView view = MatrixView::RowMajor(x.data(), kM, kK);
  MultiplyByTiles(Bf16Unit::kTiles, view, packed.data(), kN, y.data());
  MultiplyByTiles(Bf16Unit::kReference, view, packed.data(), kN, expected.data());
  return std::equal(y.begin(), y.end(), expected.begin(), [](float a, float b) {
    return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) ||
           (std::isnan(a) && std::isnan(b));
  });
}

bool TilesAreTrusted() {
  static const bool trusted = [] {
    if (!HasBf16Tiles()) return false;
    // Usual numbers; products that are subnormal, or nearly; sums that are infinite.
    if (TilesAgree(1) && TilesAgree(0x1p-63F) && TilesAgree(0x1p+63F)) return true;
    SIGSERVE_LOG(kWarning,
                 "this CPU's AMX tiles do not compute what their description says: "
                 "bfloat16 runs without them");
    return false;
  }();
  return trusted;
}

}  // namespace

Bf16Unit BestBf16Unit() {
  if (TilesAreTrusted()) return Bf16Unit::kTiles;
  return HWY_DYNAMIC_DISPATCH(HasVectors)() ? Bf16Unit::kVectors : Bf16Unit::kReference;
}

const char* NameOf(Bf16Unit unit) {
  switch (unit) {
    case Bf16Unit::kTiles:
      return "AMX tiles";
    case Bf16Unit::kVectors:
      return "vectors, for want of AMX";
    case Bf16Unit::kReference:
      return "scalar code, for want of fused multiply-add";
  }
  return "";
}

void Bf16GemmPacked(const MatrixView& x, const uint16_t* packed, size_t n,
                    const GemmEpilogue& epilogue, float* out) {
  Bf16GemmPackedBy(BestBf16Unit(), x, packed, n, epilogue, out);
}

void Bf16GemmPackedBy(Bf16Unit unit, const MatrixView& x, const uint16_t* packed, size_t n,
                      const GemmEpilogue& epilogue, float* out) {
  const bool vectors = unit == Bf16Unit::kVectors;
  const size_t block = vectors ? kVectorBlockRows : kTileBlockRows;
  const bool finish = epilogue.bias != nullptr || epilogue.activation != Activation::kNone;
  for (size_t row = 0; row < x.rows && n > 0; row += block) {
    const MatrixView rows = Part(x, row, std::min(block, x.rows - row), 0);
    if (x.columns == 0) {
      std::fill_n(out, rows.rows * n, 0.0F);
    } else if (vectors) {
      MultiplyByVectors(rows, packed, n, out);
    } else {
      MultiplyByTiles(unit, rows, packed, n, out);
    }
    if (finish) HWY_DYNAMIC_DISPATCH(FinishRows)(epilogue, rows.rows, n, out);
    out += rows.rows * n;
  }
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
