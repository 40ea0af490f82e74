// For the sources of this folder: float arithmetic that is more exact than a float, and what the
// activations are made of. One text for every CPU target: included once per target, as Highway's
// own -inl.h headers are.
#if defined(SIGSERVE_MODEL_KERNELS_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SIGSERVE_MODEL_KERNELS_ACTIVATION_INL_H_
#undef SIGSERVE_MODEL_KERNELS_ACTIVATION_INL_H_
#else
#define SIGSERVE_MODEL_KERNELS_ACTIVATION_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"
#include "model/kernels/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class V>
struct Pair {
  V high;
  V low;
};

// a + b exactly, for |a| >= |b|.
template <class V>
HWY_INLINE Pair<V> FastSum(V a, V b) {
  const V sum = hn::Add(a, b);
  return {sum, hn::Sub(b, hn::Sub(sum, a))};
}

// a - b * c. Exact where the result is a float, as the remainder of a division is.
template <class D, class V>
HWY_INLINE V Remainder(D d, V a, V b, V c) {
#if HWY_NATIVE_FMA
  (void)d;
  return hn::NegMulAdd(b, c, a);
#else  // Dekker: halves of 12 bits, whose products are exact
  const hn::RebindToUnsigned<D> du;
  const V mask = hn::BitCast(d, hn::Set(du, 0xFFFFF000U));
  const V bh = hn::And(b, mask);
  const V ch = hn::And(c, mask);
  const V bl = hn::Sub(b, bh);
  const V cl = hn::Sub(c, ch);
  V rest = hn::Sub(a, hn::Mul(bh, ch));
  rest = hn::Sub(rest, hn::Mul(bh, cl));
  rest = hn::Sub(rest, hn::Mul(bl, ch));
  return hn::Sub(rest, hn::Mul(bl, cl));
#endif
}

// a + b exactly.
template <class V>
HWY_INLINE Pair<V> Sum(V a, V b) {
  const V sum = hn::Add(a, b);
  const V b_part = hn::Sub(sum, a);
  return {sum, hn::Add(hn::Sub(a, hn::Sub(sum, b_part)), hn::Sub(b, b_part))};
}

// (a.high + a.low) / (b.high + b.low), nearly correctly rounded.
template <class D, class V>
HWY_INLINE V Quotient(D d, Pair<V> a, Pair<V> b) {
  const V inverse = hn::Div(hn::Set(d, 1.0F), b.high);
  const V estimate = hn::Mul(a.high, inverse);
  V rest = hn::Add(Remainder(d, a.high, estimate, b.high), a.low);
  rest = hn::NegMulAdd(estimate, b.low, rest);
  return hn::MulAdd(rest, inverse, estimate);
}

// 2^n for -126 <= n <= 127.
template <class D, class VI>
HWY_INLINE hn::Vec<D> PowerOfTwo(D d, VI n) {
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127))));
}

// exp(-a) = 2^n * (high + low), for -90 <= a <= 110; high in [0.7, 1.42].
template <class D, class V, class VI>
HWY_INLINE Pair<V> ExpOfMinus(D d, V a, VI& n) {
  // -a = n ln2 + r. The first product is exact (16 bits by 8), and so is the first sum.
  const V steps = hn::Round(hn::Mul(a, hn::Set(d, -1.44269504F)));
  n = hn::ConvertTo(hn::RebindToSigned<D>(), steps);
  const V rest = hn::NegMulAdd(steps, hn::Set(d, 0.693145751953125F), hn::Neg(a));
  const V correction = hn::Mul(steps, hn::Set(d, 1.428606765330187e-06F));
  const V r = hn::Sub(rest, correction);
  const V r_low = hn::Sub(hn::Sub(rest, r), correction);
  // exp(r) = 1 + r + r^2 P(r), |r| <= ln2 / 2; minimax, error 0.05 * 2^-24.
  V p = hn::Set(d, 0.0013820886F);
  p = hn::MulAdd(p, r, hn::Set(d, 0.0083686691F));
  p = hn::MulAdd(p, r, hn::Set(d, 0.041668262F));
  p = hn::MulAdd(p, r, hn::Set(d, 0.16666521F));
  p = hn::MulAdd(p, r, hn::Set(d, 0.49999994F));
  const V tail = hn::MulAdd(hn::Mul(r, r), p, r_low);
  const Pair<V> sum = FastSum(hn::Set(d, 1.0F), r);
  return FastSum(sum.high, hn::Add(sum.low, tail));
}

// 1 / (1 + exp(-x)) for |x| <= 80, where nothing overflows or vanishes: a division, corrected by
// its exact remainder.
template <class D, class V>
HWY_INLINE V SigmoidNearZero(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V one = hn::Set(d, 1.0F);
  // exp(-x) = 2^n exp(-r), r = x + n ln2. Adding 1.5 * 2^23 rounds n to an integer, which is then
  // in the low bits. The first product is exact, and so is the first sum.
  const V magic = hn::Set(d, 12582912.0F);
  const V shifted = hn::MulAdd(x, hn::Set(d, -1.44269504F), magic);
  const V n = hn::Sub(shifted, magic);
  const V scale =
      hn::BitCast(d, hn::Add(hn::ShiftLeft<23>(hn::BitCast(di, shifted)), hn::BitCast(di, one)));
  V r = hn::MulAdd(n, hn::Set(d, 0.693145751953125F), x);
  r = hn::MulAdd(n, hn::Set(d, 1.428606765330187e-06F), r);
  // exp(-r) = 1 - r + r^2 P(-r), the polynomial of ExpOfMinus().
  V p = hn::Set(d, 0.0013820886F);
  p = hn::NegMulAdd(p, r, hn::Set(d, 0.0083686691F));
  p = hn::NegMulAdd(p, r, hn::Set(d, 0.041668262F));
  p = hn::NegMulAdd(p, r, hn::Set(d, 0.16666521F));
  p = hn::NegMulAdd(p, r, hn::Set(d, 0.49999994F));
  const V linear = hn::Sub(one, r);
  const V rest = hn::MulAdd(hn::Mul(r, r), p, hn::Sub(hn::Sub(one, linear), r));
  const Pair<V> e = FastSum(linear, rest);
  const V z = hn::Mul(scale, e.high);
  const Pair<V> sum = FastSum(hn::Max(z, one), hn::Min(z, one));
  const V sum_low = hn::MulAdd(scale, e.low, sum.low);
  const V y = hn::Div(one, sum.high);
  const V remainder = hn::NegMulAdd(y, sum_low, Remainder(d, one, y, sum.high));
  return hn::MulAdd(remainder, y, y);
}

// The same for all x.
template <class D, class V>
HWY_INLINE V SigmoidAnywhere(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V one = hn::Set(d, 1.0F);
  const V a = hn::Min(hn::Abs(x), hn::Set(d, 105.0F));  // beyond, the result is 0 or 1
  hn::Vec<decltype(di)> n;
  const Pair<V> e = ExpOfMinus(d, a, n);
  // 1 + z needs no more of z than 2^-60; stopping there keeps clear of slow subnormals.
  const V scale = PowerOfTwo(d, hn::Max(n, hn::Set(di, -60)));
  Pair<V> denominator = FastSum(one, hn::Mul(e.high, scale));
  denominator.low = hn::MulAdd(e.low, scale, denominator.low);
  // sigmoid = z / (1 + z) on the left of 0, 1 / (1 + z) on the right.
  const auto left = hn::Lt(x, hn::Zero(d));
  const Pair<V> numerator = {hn::IfThenElse(left, e.high, one), hn::IfThenElseZero(left, e.low)};
  const V y = Quotient(d, numerator, denominator);
  // Scales in two steps, as 2^n may be subnormal; only the second can round. Subnormals are slow:
  // n is 0 in the lanes whose result does not use it, on the right and where the result is 0.
  const auto counts = hn::Lt(a, hn::Set(d, 104.0F));
  n = hn::IfThenElseZero(hn::RebindMask(di, hn::And(left, counts)), n);
  const auto n1 = hn::Max(n, hn::Set(di, -100));
  const V product = hn::Mul(hn::Mul(y, PowerOfTwo(d, n1)), PowerOfTwo(d, hn::Sub(n, n1)));
  const V scaled = hn::IfThenElseZero(counts, product);
  return hn::IfThenElse(hn::Eq(x, x), hn::IfThenElse(left, scaled, y), x);
}

template <class D, class V>
HWY_INLINE auto IsNearZero(D d, V x) {
  return hn::Le(hn::Abs(x), hn::Set(d, 80.0F));
}

// `Near`: a sigmoid near zero. The exact one everywhere else.
template <class Near>
struct SigmoidBy {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const auto near = IsNearZero(d, x);
    if (HWY_LIKELY(hn::AllTrue(d, near))) return Near()(d, x);
    const V far = SigmoidAnywhere(d, x);
    if (hn::AllFalse(d, near)) return far;
    // Lane by lane, so that no element depends on its neighbours.
    return hn::IfThenElse(near, Near()(d, x), far);
  }
};
struct ExactNearZero {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return SigmoidNearZero(d, x);
  }
};
using SigmoidOf = SigmoidBy<ExactNearZero>;

// Vectors that are computed side by side. Each alone is a long chain of instructions that wait for
// each other. AVX-512 has twice the registers.
constexpr size_t kTogether = HWY_MAX_BYTES >= 64 ? 8 : 4;

template <class D, class F>
HWY_INLINE void RunTogether(D d, const float* x, float* out, F f) {
  hn::Vec<D> y[kTogether];
  SIGSERVE_UNROLL
  for (size_t i = 0; i < kTogether; ++i) y[i] = f(d, hn::LoadU(d, x + i * hn::Lanes(d)));
  SIGSERVE_UNROLL
  for (size_t i = 0; i < kTogether; ++i) hn::StoreU(y[i], d, out + i * hn::Lanes(d));
}

// With one branch instead of one per vector.
template <class D, class Near>
HWY_INLINE void RunTogether(D d, const float* x, float* out, SigmoidBy<Near> f) {
  hn::Vec<D> in[kTogether];
  hn::Vec<D> y[kTogether];
  SIGSERVE_UNROLL
  for (size_t i = 0; i < kTogether; ++i) in[i] = hn::LoadU(d, x + i * hn::Lanes(d));
  auto near = IsNearZero(d, in[0]);
  SIGSERVE_UNROLL
  for (size_t i = 1; i < kTogether; ++i) near = hn::And(near, IsNearZero(d, in[i]));
  SIGSERVE_UNROLL
  for (size_t i = 0; i < kTogether; ++i) y[i] = Near()(d, in[i]);
  if (HWY_UNLIKELY(!hn::AllTrue(d, near))) {
    SIGSERVE_UNROLL
    for (size_t i = 0; i < kTogether; ++i) y[i] = f(d, in[i]);
  }
  SIGSERVE_UNROLL
  for (size_t i = 0; i < kTogether; ++i) hn::StoreU(y[i], d, out + i * hn::Lanes(d));
}

template <class F>
HWY_INLINE void Run(const float* x, float* out, size_t n, F f) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + kTogether * lanes <= n; i += kTogether * lanes) RunTogether(d, x + i, out + i, f);
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(f(d, hn::LoadU(d, x + i)), d, out + i);
  }
  if (i < n) {
    HWY_ALIGN float rest[hn::MaxLanes(d)] = {};
    for (size_t j = i; j < n; ++j) {
      rest[j - i] = x[j];
    }
    hn::Store(f(d, hn::Load(d, rest)), d, rest);
    for (size_t j = i; j < n; ++j) {
      out[j] = rest[j - i];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
