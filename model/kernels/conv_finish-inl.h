// For conv.cc and bf16_conv.cc: what becomes of the sums of a convolution. Included once per CPU
// target, as Highway's own -inl.h headers are.
#if defined(SIGSERVE_MODEL_KERNELS_CONV_FINISH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SIGSERVE_MODEL_KERNELS_CONV_FINISH_INL_H_
#undef SIGSERVE_MODEL_KERNELS_CONV_FINISH_INL_H_
#else
#define SIGSERVE_MODEL_KERNELS_CONV_FINISH_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "model/kernels/conv.h"
#include "model/kernels/conv_gather-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

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

template <class V>
HWY_INLINE V Maximum(V m, V x) {  // a NaN stays
  return hn::IfThenElse(hn::Eq(x, x), hn::IfThenElse(hn::Gt(x, m), x, m), x);
}

// Maxima of neighbours, in place: of 32 numbers to 32 / pool.
HWY_INLINE void Pool(size_t pool, float* x) {
  const hn::CappedTag<float, 8> d;
  using V = hn::Vec<decltype(d)>;
  const size_t lanes = hn::Lanes(d);
  if (pool == 4) {
    for (size_t i = 0; i < kPanel / 4; i += lanes) {
      V a, b, c, e;
      hn::LoadInterleaved4(d, x + 4 * i, a, b, c, e);
      hn::StoreU(Maximum(Maximum(Maximum(a, b), c), e), d, x + i);
    }
  } else if (pool == 2) {
    for (size_t i = 0; i < kPanel / 2; i += lanes) {
      V a, b;
      hn::LoadInterleaved2(d, x + 2 * i, a, b);
      hn::StoreU(Maximum(a, b), d, x + i);
    }
  }
}

// Numbers in whole vectors of at most N; returns how many.
template <size_t N>
HWY_INLINE size_t CopyVectors(const float* from, size_t count, float* to) {
  const hn::CappedTag<float, N> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  return i;
}

// from[0 ... count) to every `step`-th float. No masked stores: they are slow.
HWY_INLINE void Spread(const float* from, size_t count, size_t step, float* to) {
  size_t i = 0;
  if (step == 1) {
    i = CopyVectors<16>(from, count, to);
    i += CopyVectors<8>(from + i, count - i, to + i);
    i += CopyVectors<4>(from + i, count - i, to + i);
  }
  for (; i < count; ++i) to[i * step] = from[i];
}

// Bias, activation and maxima of a row of sums, in place.
HWY_INLINE void Complete(const ConvEpilogue& e, size_t row, size_t width, float* sums) {
  const D d;
  const auto bias = hn::Set(d, e.bias == nullptr ? 0.0F : e.bias[row]);
  for (size_t i = 0; i < width; i += kLanes) {
    auto x = hn::LoadU(d, sums + i);
    x = e.bias == nullptr ? x : hn::Add(x, bias);
    hn::StoreU(Activate(e, x), d, sums + i);
  }
  if (e.pool > 1) Pool(e.pool, sums);
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
