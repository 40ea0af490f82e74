#include "model/kernels/narrow_gemm.h"

#include <algorithm>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/narrow_gemm.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"

#ifndef SIGSERVE_NARROW_GEMM_CONSTANTS
#define SIGSERVE_NARROW_GEMM_CONSTANTS
namespace sigserve::kernels {
namespace {

constexpr size_t kChains = 16;
constexpr size_t kGroupRows = 4;  // rows that share a load of the weights
constexpr size_t kBlockK = 256;   // of rows that must be gathered first

// A block of k for a few rows.
struct NarrowStep {
  const float* x;  // rows of contiguous elements
  size_t x_row_stride;
  size_t k;
  const float* w;
  size_t n;
  float* chains;  // [row][column][16]: where chains rest between blocks
  bool first;
  bool last;
};

}  // namespace
}  // namespace sigserve::kernels
#endif  // SIGSERVE_NARROW_GEMM_CONSTANTS

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, kChains>;
constexpr size_t kLanes = hn::MaxLanes(D());
constexpr size_t kVectors = kChains / kLanes;

#if HWY_TARGET == HWY_SCALAR

template <size_t kSums>
HWY_INLINE void AddChains(const hn::Vec<D> (*sum)[kVectors], float* totals) {
  for (size_t i = 0; i < kSums; ++i) {
    hn::Vec<D> v[kVectors];
    std::copy_n(sum[i], kVectors, v);
    for (size_t apart = kChains / 2; apart > 0; apart /= 2) {
      for (size_t l = 0; l < apart; ++l) {
        v[l] = hn::Add(v[l], v[l + apart]);
      }
    }
    totals[i] = hn::GetLane(v[0]);
  }
}

#else

using Four = hn::FixedTag<float, 4>;

// From 16 sums to 4: those 8 apart, then those 4 apart.
template <class TD>
HWY_INLINE hn::Vec<Four> HalveToFour(TD d, hn::Vec<TD> v) {
  if constexpr (hn::MaxLanes(d) == 4) {
    return v;
  } else {
    const hn::Half<TD> half;
    return HalveToFour(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
HWY_INLINE hn::Vec<Four> ToFour(const hn::Vec<D>* sum) {
  const D d;
  if constexpr (kVectors == 4) {
    return HalveToFour(d, hn::Add(hn::Add(sum[0], sum[2]), hn::Add(sum[1], sum[3])));
  } else if constexpr (kVectors == 2) {
    return HalveToFour(d, hn::Add(sum[0], sum[1]));
  } else {
    return HalveToFour(d, sum[0]);
  }
}

// Element i: the total of v[i], those 2 apart first.
HWY_INLINE hn::Vec<Four> Totals(const hn::Vec<Four>* v) {
  const Four d;
  const auto a = hn::Add(hn::InterleaveLower(d, v[0], v[1]), hn::InterleaveUpper(d, v[0], v[1]));
  const auto b = hn::Add(hn::InterleaveLower(d, v[2], v[3]), hn::InterleaveUpper(d, v[2], v[3]));
  return hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
}

// totals[i]: all chains of sum[i].
template <size_t kSums>
HWY_INLINE void AddChains(const hn::Vec<D> (*sum)[kVectors], float* totals) {
  constexpr size_t kPadded = (kSums + 3) / 4 * 4;
  hn::Vec<Four> fours[kPadded];
  for (size_t i = 0; i < kPadded; ++i) {
    fours[i] = ToFour(sum[i < kSums ? i : 0]);
  }
  float padded[kPadded];
  for (size_t i = 0; i < kPadded; i += 4) {
    hn::StoreU(Totals(fours + i), Four(), padded + i);
  }
  std::copy_n(padded, kSums, totals);
}

#endif  // HWY_TARGET == HWY_SCALAR

template <size_t R, size_t C>
HWY_INLINE void Block(const float* const* x, const float* w, hn::Vec<D> (*sum)[kVectors]) {
  const D d;
  for (size_t v = 0; v < kVectors; ++v) {
    hn::Vec<D> wv[C];
    for (size_t c = 0; c < C; ++c) {
      wv[c] = hn::LoadU(d, w + c * kChains + v * kLanes);
    }
    for (size_t r = 0; r < R; ++r) {
      const auto xv = hn::LoadU(d, x[r] + v * kLanes);
      for (size_t c = 0; c < C; ++c) {
        sum[r * C + c][v] = hn::MulAdd(xv, wv[c], sum[r * C + c][v]);
      }
    }
  }
}

// to[r * n + c] for R rows and C columns from `column` on; written by the last block.
template <size_t R, size_t C>
HWY_NOINLINE void Sums(const NarrowStep& s, size_t column, float* to) {
  const auto chains = [&](size_t r, size_t c) {
    return s.chains + (r * s.n + column + c) * kChains;
  };
  hn::Vec<D> sum[R * C][kVectors];
  const float* x[R];
  for (size_t r = 0; r < R; ++r) {
    x[r] = s.x + r * s.x_row_stride;
    for (size_t c = 0; c < C; ++c) {
      for (size_t v = 0; v < kVectors; ++v) {
        const D d;
        sum[r * C + c][v] = s.first ? hn::Zero(d) : hn::LoadU(d, chains(r, c) + v * kLanes);
      }
    }
  }
  const float* w = s.k == 0 ? s.w : s.w + column * kChains;  // of no depth there are none
  size_t k = 0;
  for (; k + kChains <= s.k; k += kChains) {
    Block<R, C>(x, w, sum);
    for (size_t r = 0; r < R; ++r) {
      x[r] += kChains;
    }
    w += s.n * kChains;
  }
  if (k < s.k) {
    float rest[R][kChains] = {};
    for (size_t r = 0; r < R; ++r) {
      std::copy_n(x[r], s.k - k, rest[r]);
      x[r] = rest[r];
    }
    Block<R, C>(x, w, sum);
  }
  if (!s.last) {
    for (size_t i = 0; i < R * C; ++i) {
      for (size_t v = 0; v < kVectors; ++v) {
        const D d;
        hn::StoreU(sum[i][v], d, chains(i / C, i % C) + v * kLanes);
      }
    }
    return;
  }
  constexpr size_t kSums = R * C;
  float totals[kSums];
  AddChains<kSums>(sum, totals);
  for (size_t i = 0; i < kSums; ++i) {
    to[i / C * s.n + column + i % C] = totals[i];
  }
}

template <size_t R>
HWY_INLINE void AllColumns(const NarrowStep& s, float* to) {
  size_t column = 0;
  for (; column + 4 <= s.n; column += 4) {
    Sums<R, 4>(s, column, to);
  }
  if (s.n - column >= 2) {
    Sums<R, 2>(s, column, to);
    column += 2;
  }
  if (column < s.n) {
    Sums<R, 1>(s, column, to);
  }
}

void NarrowSums(const NarrowStep& s, size_t rows, float* to) {
  if (rows == kGroupRows) {
    AllColumns<kGroupRows>(s, to);
    return;
  }
  NarrowStep row = s;
  for (size_t r = 0; r < rows; ++r) {
    AllColumns<1>(row, to + r * s.n);
    row.x += s.x_row_stride;
    row.chains += s.n * kChains;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {

HWY_EXPORT(NarrowSums);

namespace {

void Finish(const float* sums, size_t count, size_t n, const GemmEpilogue& epilogue, float* out) {
  for (size_t i = 0; i < count; ++i) {
    float y = sums[i];
    if (epilogue.accumulate) {
      y += out[i];
    }
    if (epilogue.bias != nullptr) {
      y += epilogue.bias[i % n];
    }
    out[i] = epilogue.activation == Activation::kRelu && y < 0 ? 0 : y;
  }
}

}  // namespace

size_t NarrowPackedSize(size_t k, size_t n) { return (k + kChains - 1) / kChains * kChains * n; }

void PackNarrow(const MatrixView& w, float* packed) {
  for (size_t k0 = 0; k0 < w.rows; k0 += kChains) {
    for (size_t c = 0; c < w.columns; ++c) {
      for (size_t k = k0; k < k0 + kChains; ++k) {
        *packed++ = k < w.rows ? w.data[k * w.row_stride + c * w.column_stride] : 0;
      }
    }
  }
}

void NarrowGemm(const MatrixView& x, const float* packed, size_t n, const GemmEpilogue& epilogue,
                float* out) {
  const auto run = HWY_DYNAMIC_DISPATCH(NarrowSums);
  float sums[kGroupRows * kMaxNarrowColumns];
  float chains[kGroupRows * kMaxNarrowColumns * kChains];
  float gathered[kGroupRows * kBlockK];
  const bool contiguous = x.column_stride == 1;
  const size_t block = contiguous ? std::max<size_t>(x.columns, 1) : kBlockK;
  for (size_t row = 0; row < x.rows; row += kGroupRows) {
    const size_t rows = std::min(kGroupRows, x.rows - row);
    size_t k = 0;
    do {
      NarrowStep s{};
      s.k = std::min(block, x.columns - k);
      s.w = packed + k * n;
      s.n = n;
      s.chains = chains;
      s.first = k == 0;
      s.last = k + s.k == x.columns;
      s.x = x.data + row * x.row_stride + k * x.column_stride;
      s.x_row_stride = x.row_stride;
      if (!contiguous) {
        for (size_t i = 0; i < rows * s.k; ++i) {
          gathered[i] = s.x[i / s.k * x.row_stride + i % s.k * x.column_stride];
        }
        s.x = gathered;
        s.x_row_stride = s.k;
      }
      run(s, rows, sums);
      k += s.k;
    } while (k < x.columns);
    Finish(sums, rows * n, n, epilogue, out + row * n);
  }
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
