#include "model/kernels/pool.h"

#include <algorithm>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/pool.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"

#ifndef SIGSERVE_POOL_SHARED
#define SIGSERVE_POOL_SHARED
namespace sigserve::kernels {
namespace {

// The taps [begin, end) of an output that read the input, and where the first one does.
struct Taps {
  size_t begin;
  size_t end;
  size_t first;
};
inline Taps TapsInside(const PoolAxis& a, size_t output) {
  const size_t at = output * a.stride;  // in the padded input
  const size_t limit = a.pad_begin + a.input;
  const size_t begin =
      at >= a.pad_begin ? 0 : std::min(a.kernel, (a.pad_begin - at + a.dilation - 1) / a.dilation);
  const size_t end =
      at >= limit ? 0 : std::min(a.kernel, (limit - at + a.dilation - 1) / a.dilation);
  return {begin, std::max(begin, end), at + begin * a.dilation - a.pad_begin};
}

// Whether x replaces m in a maximum.
inline bool Exceeds(float x, float m) { return x > m || x != x; }

// Calls f(element) for each tap of an output that is in the input, in order, with the element's
// offset in the plane.
template <typename F>
void ForEachTap(const PoolShape& s, const Taps& z, const Taps& y, const Taps& x, F f) {
  for (size_t i = z.begin; i < z.end; ++i) {
    const size_t at_z = z.first + (i - z.begin) * s.axis[0].dilation;
    for (size_t j = y.begin; j < y.end; ++j) {
      const size_t at_y = y.first + (j - y.begin) * s.axis[1].dilation;
      const size_t row = (at_z * s.axis[1].input + at_y) * s.axis[2].input;
      for (size_t k = x.begin; k < x.end; ++k) {
        f(row + x.first + (k - x.begin) * s.axis[2].dilation);
      }
    }
  }
}

// Calls f(plane, z, y) for every row of the output.
template <typename F>
void ForEachRow(const PoolShape& s, F f) {
  for (size_t plane = 0; plane < s.planes; ++plane) {
    for (size_t z = 0; z < s.axis[0].output; ++z) {
      for (size_t y = 0; y < s.axis[1].output; ++y) {
        f(plane, z, y);
      }
    }
  }
}

}  // namespace
}  // namespace sigserve::kernels
#endif  // SIGSERVE_POOL_SHARED

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;

template <class V>
HWY_INLINE V Maximum(V m, V x) {
  return hn::IfThenElse(hn::Eq(x, x), hn::IfThenElse(hn::Gt(x, m), x, m), x);
}

// A vector of outputs whose windows lie fully inside: folds one row of taps into m.
template <class V>
HWY_INLINE V FoldRow(const PoolAxis& a, const float* x, V m) {
  const D d;
  size_t tap = 0;
  if (a.stride == 4 && a.dilation == 1) {
    for (; tap + 4 <= a.kernel; tap += 4) {
      V v0, v1, v2, v3;
      hn::LoadInterleaved4(d, x + tap, v0, v1, v2, v3);
      m = Maximum(Maximum(Maximum(Maximum(m, v0), v1), v2), v3);
    }
  } else if (a.stride == 2 && a.dilation == 1) {
    for (; tap + 2 <= a.kernel; tap += 2) {
      V v0, v1;
      hn::LoadInterleaved2(d, x + tap, v0, v1);
      m = Maximum(Maximum(m, v0), v1);
    }
  } else if (a.stride == 1) {
    for (; tap < a.kernel; ++tap) {
      m = Maximum(m, hn::LoadU(d, x + tap * a.dilation));
    }
  }
  if (tap < a.kernel) {
    const size_t lanes = hn::Lanes(d);
    HWY_ALIGN float values[hn::MaxLanes(d)];
    for (; tap < a.kernel; ++tap) {
      for (size_t i = 0; i < lanes; ++i) {
        values[i] = x[i * a.stride + tap * a.dilation];
      }
      m = Maximum(m, hn::Load(d, values));
    }
  }
  return m;
}

void MaxPoolAll(const PoolShape& s, const float* x, float* out) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const PoolAxis& a = s.axis[2];
  const size_t plane_size = s.axis[0].input * s.axis[1].input * a.input;
  ForEachRow(s, [&](size_t plane, size_t z, size_t y) {
    const float* from = x + plane * plane_size;
    const Taps taps_z = TapsInside(s.axis[0], z);
    const Taps taps_y = TapsInside(s.axis[1], y);
    for (size_t o = 0; o < a.output;) {
      // The last vector starts earlier, where there is room, rather than end in single outputs.
      const size_t at = a.output >= lanes ? std::min(o, a.output - lanes) : o;
      // The whole vector's windows inside? Interleaved loads end with the last window's stride.
      const size_t begin = at * a.stride;
      const size_t last =
          begin + (lanes - 1) * a.stride + std::max((a.kernel - 1) * a.dilation, a.stride - 1);
      if (at + lanes <= a.output && begin >= a.pad_begin && last < a.pad_begin + a.input) {
        auto m = hn::Set(d, -std::numeric_limits<float>::infinity());
        const Taps whole{0, 1, begin - a.pad_begin};
        ForEachTap(s, taps_z, taps_y, whole,
                   [&](size_t offset) { m = FoldRow(a, from + offset, m); });
        hn::StoreU(m, d, out + at);
        o = at + lanes;
      } else {
        float m = -std::numeric_limits<float>::infinity();
        ForEachTap(s, taps_z, taps_y, TapsInside(a, o),
                   [&](size_t offset) { m = Exceeds(from[offset], m) ? from[offset] : m; });
        out[o++] = m;
      }
    }
    out += a.output;
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {
namespace {

// Taps of an output in the padded input.
size_t PaddedTaps(const PoolAxis& a, size_t output) {
  const size_t limit = a.pad_begin + a.input + a.pad_end;
  return std::min(a.kernel, (limit - output * a.stride + a.dilation - 1) / a.dilation);
}

}  // namespace

HWY_EXPORT(MaxPoolAll);

void MaxPool(const PoolShape& shape, const float* x, float* out) {
  HWY_DYNAMIC_DISPATCH(MaxPoolAll)(shape, x, out);
}

void MaxPoolIndices(const PoolShape& shape, const size_t strides[3], const float* x, float* out,
                    int64_t* indices) {
  const size_t height = shape.axis[1].input;
  const size_t width = shape.axis[2].input;
  const size_t plane_size = shape.axis[0].input * height * width;
  ForEachRow(shape, [&](size_t plane, size_t z, size_t y) {
    for (size_t o = 0; o < shape.axis[2].output; ++o) {
      const float* from = x + plane * plane_size;
      float m = -std::numeric_limits<float>::infinity();
      size_t best = plane_size;  // none yet
      ForEachTap(shape, TapsInside(shape.axis[0], z), TapsInside(shape.axis[1], y),
                 TapsInside(shape.axis[2], o), [&](size_t offset) {
                   if (best == plane_size || (m == m && Exceeds(from[offset], m))) {
                     m = from[offset];
                     best = offset;
                   }
                 });
      *out++ = m;
      *indices++ =
          static_cast<int64_t>(plane * plane_size + best / width / height * strides[0] +
                               best / width % height * strides[1] + best % width * strides[2]);
    }
  });
}

void AveragePool(const PoolShape& shape, bool count_padding, const float* x, float* out) {
  const PoolAxis* axis = shape.axis;
  const size_t plane_size = axis[0].input * axis[1].input * axis[2].input;
  ForEachRow(shape, [&](size_t plane, size_t z, size_t y) {
    const float* from = x + plane * plane_size;
    const Taps taps_z = TapsInside(axis[0], z);
    const Taps taps_y = TapsInside(axis[1], y);
    for (size_t o = 0; o < axis[2].output; ++o) {
      const Taps taps_x = TapsInside(axis[2], o);
      double sum = 0;
      ForEachTap(shape, taps_z, taps_y, taps_x, [&](size_t offset) { sum += from[offset]; });
      const size_t inside =
          (taps_z.end - taps_z.begin) * (taps_y.end - taps_y.begin) * (taps_x.end - taps_x.begin);
      const size_t padded =
          PaddedTaps(axis[0], z) * PaddedTaps(axis[1], y) * PaddedTaps(axis[2], o);
      *out++ = static_cast<float>(sum / static_cast<double>(count_padding ? padded : inside));
    }
  });
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
