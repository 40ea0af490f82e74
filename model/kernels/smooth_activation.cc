// The activations that are exponentials, logarithms and error functions at heart.
#include <cstddef>
#include <cstdint>
#include <limits>

#include "model/kernels/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/smooth_activation.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"
#include "model/kernels/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Where exp(-105) and less are 0.
constexpr float kVanishes = 105.0F;

// y * 2^n for -200 <= n <= 200: in two steps, as 2^n may be no normal float; only the second can
// round.
template <class D, class V, class VI>
HWY_INLINE V Scaled(D d, V y, VI n) {
  const hn::RebindToSigned<D> di;
  const VI first = hn::Min(hn::Max(n, hn::Set(di, -100)), hn::Set(di, 100));
  return hn::Mul(hn::Mul(y, PowerOfTwo(d, first)), PowerOfTwo(d, hn::Sub(n, first)));
}

// exp(-a) as z * 2^rest, where z needs no subnormal numbers and rest is 0 unless z < 2^-59.
template <class V, class VI>
struct Exponential {
  Pair<V> z;
  VI rest;
};
template <class D, class V>
HWY_INLINE auto ExponentialOfMinus(D d, V a) {
  const hn::RebindToSigned<D> di;
  hn::Vec<decltype(di)> n;
  const Pair<V> e = ExpOfMinus(d, a, n);
  const auto kept = hn::Max(n, hn::Set(di, -60));
  const V scale = PowerOfTwo(d, kept);
  return Exponential<V, decltype(kept)>{{hn::Mul(e.high, scale), hn::Mul(e.low, scale)},
                                        hn::Sub(n, kept)};
}

template <class V>
HWY_INLINE V KeepNaN(V x, V y) {
  return hn::IfThenElse(hn::Eq(x, x), y, x);
}

// The limit at -infinity that arithmetic gives where a function is x times what vanishes: NaN.
template <class D, class V>
HWY_INLINE V NaNAtMinusInfinity(D d, V x, V y) {
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  return hn::IfThenElse(hn::Eq(x, hn::Neg(infinity)),
                        hn::Set(d, std::numeric_limits<float>::quiet_NaN()), KeepNaN(x, y));
}

// 2 atanh(a / b) for |a / b| <= 1/3: twice the quotient, and the rest of the series as `low`.
template <class D, class V>
HWY_INLINE Pair<V> TwiceAtanh(D d, Pair<V> a, Pair<V> b) {
  const V inverse = hn::Div(hn::Set(d, 1.0F), b.high);
  const V s = hn::Mul(a.high, inverse);
  V rest = hn::Add(Remainder(d, a.high, s, b.high), a.low);
  rest = hn::Mul(hn::NegMulAdd(s, b.low, rest), inverse);
  const V w = hn::Mul(s, s);
  // Minimax, error 7e-9.
  V p = hn::Set(d, 0.23253764F);
  p = hn::MulAdd(p, w, hn::Set(d, 0.21700045F));
  p = hn::MulAdd(p, w, hn::Set(d, 0.2859281F));
  p = hn::MulAdd(p, w, hn::Set(d, 0.39999697F));
  p = hn::MulAdd(p, w, hn::Set(d, 0.6666667F));
  return {hn::Add(s, s), hn::MulAdd(hn::Mul(w, s), p, hn::Add(rest, rest))};
}

struct ExpOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const hn::RebindToSigned<D> di;
    const V a = hn::Min(hn::Max(hn::Neg(x), hn::Set(d, -89.0F)), hn::Set(d, kVanishes));
    hn::Vec<decltype(di)> n;
    const Pair<V> e = ExpOfMinus(d, a, n);
    return KeepNaN(x, Scaled(d, hn::Add(e.high, e.low), n));
  }
};

struct LogOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const hn::RebindToSigned<D> di;
    const V zero = hn::Zero(d);
    const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
    // x = 2^k * m, m in [sqrt(1/2), sqrt(2)); subnormal x are made normal first.
    const auto small = hn::Lt(x, hn::Set(d, std::numeric_limits<float>::min()));
    const auto bits = hn::BitCast(di, hn::IfThenElse(small, hn::Mul(x, hn::Set(d, 0x1p24F)), x));
    const auto k = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3F3504F3)));
    const V m = hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(k)));
    const V steps = hn::Sub(hn::ConvertTo(d, k), hn::IfThenElseZero(small, hn::Set(d, 24.0F)));
    // log(m) = 2 atanh((m - 1) / (m + 1)).
    const V f = hn::Sub(m, hn::Set(d, 1.0F));
    const Pair<V> log_m = TwiceAtanh(d, {f, zero}, FastSum(hn::Set(d, 2.0F), f));
    const Pair<V> sum = FastSum(hn::Mul(steps, hn::Set(d, 0.693145751953125F)), log_m.high);
    V low = hn::MulAdd(steps, hn::Set(d, 1.428606765330187e-06F), log_m.low);
    V y = hn::Add(sum.high, hn::Add(sum.low, low));
    y = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), y);
    y = hn::IfThenElse(hn::Lt(x, zero), hn::Set(d, std::numeric_limits<float>::quiet_NaN()), y);
    return KeepNaN(x, hn::IfThenElse(hn::Eq(x, infinity), x, y));
  }
};

struct SoftplusOf {  // max(x, 0) + log(1 + exp(-|x|))
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V zero = hn::Zero(d);
    const auto e = ExponentialOfMinus(d, hn::Min(hn::Abs(x), hn::Set(d, kVanishes)));
    Pair<V> denominator = FastSum(hn::Set(d, 2.0F), e.z.high);
    denominator.low = hn::Add(denominator.low, e.z.low);
    const Pair<V> logarithm = TwiceAtanh(d, e.z, denominator);
    const auto left = hn::Lt(x, zero);
    const Pair<V> sum = Sum(hn::IfThenElse(left, zero, x), logarithm.high);
    const V y = hn::Add(sum.high, hn::Add(sum.low, logarithm.low));
    const V tail = hn::Mul(y, PowerOfTwo(d, e.rest));
    const V kept = hn::IfThenElse(left, tail, y);
    return KeepNaN(x, hn::IfThenElse(hn::Gt(x, hn::Set(d, 40.0F)), x, kept));
  }
};

struct LogSigmoidOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return KeepNaN(x, hn::Neg(SoftplusOf()(d, hn::Neg(x))));
  }
};

// exp(x) - 1 for x <= 0.
template <class D, class V>
HWY_INLINE V Expm1OfNegative(D d, V x) {
  const auto e = ExponentialOfMinus(d, hn::Min(hn::Neg(x), hn::Set(d, kVanishes)));
  const Pair<V> difference = FastSum(hn::Set(d, -1.0F), e.z.high);
  return hn::Add(difference.high, hn::Add(difference.low, e.z.low));
}

struct EluOf {
  float alpha;
  float gamma;
  float inner;  // exp(x * inner) - 1
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V left = hn::Mul(hn::Set(d, alpha), Expm1OfNegative(d, hn::Mul(x, hn::Set(d, inner))));
    const V y = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), left, x);
    return KeepNaN(x, hn::Mul(hn::Set(d, gamma), y));
  }
};

// erfc(t) * exp(t^2), for 0 <= t <= 10.6.
template <class D, class V>
HWY_INLINE V ScaledErfc(D d, V t) {
  // (1 + 2 t) times it, as a polynomial in (t - 3) / (t + 3); minimax, error 3e-9.
  const V three = hn::Set(d, 3.0F);
  const V q = hn::Div(hn::Sub(t, three), hn::Add(t, three));
  V p = hn::Set(d, -0.00026322057F);
  p = hn::MulAdd(p, q, hn::Set(d, -0.0007655186F));
  p = hn::MulAdd(p, q, hn::Set(d, 0.0020083978F));
  p = hn::MulAdd(p, q, hn::Set(d, 0.002562773F));
  p = hn::MulAdd(p, q, hn::Set(d, -0.023802096F));
  p = hn::MulAdd(p, q, hn::Set(d, 0.068295956F));
  p = hn::MulAdd(p, q, hn::Set(d, -0.11927015F));
  p = hn::MulAdd(p, q, hn::Set(d, 0.12964648F));
  p = hn::MulAdd(p, q, hn::Set(d, -0.047562446F));
  p = hn::MulAdd(p, q, hn::Set(d, -0.13562115F));
  p = hn::MulAdd(p, q, hn::Set(d, 1.253008F));
  return hn::Div(p, hn::MulAdd(hn::Set(d, 2.0F), t, hn::Set(d, 1.0F)));
}

// exp(-a b) for 0 <= a b <= 105, with the rounding of a * b made good.
template <class D, class V>
HWY_INLINE auto ExponentialOfMinusProduct(D d, V a, V b) {
  const V product = hn::Mul(a, b);
  auto e = ExponentialOfMinus(d, product);
  // Remainder() is product - a b, by which the exponent is too small.
  e.z.low = hn::MulAdd(e.z.high, Remainder(d, product, a, b), e.z.low);
  return e;
}

struct ErfOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V one = hn::Set(d, 1.0F);
    const V a = hn::Abs(x);
    const V far = hn::Min(a, hn::Set(d, 4.0F));  // beyond, the result is 1
    const auto e = ExponentialOfMinusProduct(d, far, far);
    const V erfc = hn::Mul(hn::Add(e.z.high, e.z.low), ScaledErfc(d, far));
    // Below 1: x (2 / sqrt(pi) + x^2 Q(x^2)); minimax, relative error 1e-9.
    const V w = hn::Mul(hn::Min(a, one), hn::Min(a, one));
    V q = hn::Set(d, 7.933098e-05F);
    q = hn::MulAdd(q, w, hn::Set(d, -0.00080350286F));
    q = hn::MulAdd(q, w, hn::Set(d, 0.0051912917F));
    q = hn::MulAdd(q, w, hn::Set(d, -0.026855484F));
    q = hn::MulAdd(q, w, hn::Set(d, 0.1128363F));
    q = hn::MulAdd(q, w, hn::Set(d, -0.37612632F));
    q = hn::MulAdd(q, w, hn::Set(d, -5.8635383e-08F));  // what the next constant lacks
    const V near = hn::MulAdd(a, q, hn::Mul(a, hn::Set(d, 1.12837923F)));
    const V y = hn::IfThenElse(hn::Lt(a, one), near, hn::Sub(one, erfc));
    return KeepNaN(x, hn::CopySign(y, x));
  }
};

struct GeluOf {  // x times the normal distribution's integral up to x
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V a = hn::Min(hn::Abs(x), hn::Set(d, 14.4F));  // beyond, the result is 0 or x
    const V half = hn::Set(d, 0.5F);
    const auto e = ExponentialOfMinusProduct(d, hn::Mul(half, a), a);
    const V t = hn::Mul(a, hn::Set(d, 0.70710678F));
    const V tail = hn::Mul(hn::Mul(half, hn::Add(e.z.high, e.z.low)), ScaledErfc(d, t));
    const V left = hn::Mul(hn::Neg(hn::Mul(a, tail)), PowerOfTwo(d, e.rest));
    const V right = hn::NegMulAdd(x, tail, x);
    const V y = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), left, right);
    const V limit = hn::Set(d, 14.4F);
    return NaNAtMinusInfinity(d, x, hn::IfThenElse(hn::Gt(x, limit), x, y));
  }
};

struct GeluTanhOf {  // x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V limit = hn::Set(d, 30.0F);  // beyond, the result is 0 or x
    const V near = hn::Min(hn::Max(x, hn::Neg(limit)), limit);
    const V inner =
        hn::MulAdd(hn::Mul(near, near), hn::Set(d, 0.0713548163F), hn::Set(d, 1.59576912F));
    const V y = hn::Mul(near, SigmoidOf()(d, hn::Mul(near, inner)));
    return NaNAtMinusInfinity(d, x, hn::IfThenElse(hn::Gt(x, limit), x, y));
  }
};

struct MishOf {  // x tanh(softplus(x)), both exponentials of one z = exp(-|x|)
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V one = hn::Set(d, 1.0F);
    const V two = hn::Set(d, 2.0F);
    const V limit = hn::Set(d, 110.0F);  // beyond, the result is 0 or x
    const auto e = ExponentialOfMinus(d, hn::Min(hn::Abs(x), limit));
    const V z = hn::Add(e.z.high, e.z.low);
    const V right_up = hn::MulAdd(two, z, one);
    const V right_down = hn::MulAdd(hn::Mul(two, z), z, right_up);
    const V left_up = hn::Mul(z, hn::Add(z, two));
    const V left_down = hn::Add(left_up, two);
    const auto left = hn::Lt(x, hn::Zero(d));
    const V ratio = hn::Div(hn::IfThenElse(left, left_up, right_up),
                            hn::IfThenElse(left, left_down, right_down));
    const V near = hn::Min(hn::Max(x, hn::Neg(limit)), limit);
    const V y = hn::Mul(near, ratio);
    const V kept = hn::IfThenElse(left, hn::Mul(y, PowerOfTwo(d, e.rest)), y);
    return NaNAtMinusInfinity(d, x, hn::IfThenElse(hn::Gt(x, limit), x, kept));
  }
};

void ExpAll(const float* x, float* out, size_t n) { Run(x, out, n, ExpOf()); }
void LogAll(const float* x, float* out, size_t n) { Run(x, out, n, LogOf()); }
void SoftplusAll(const float* x, float* out, size_t n) { Run(x, out, n, SoftplusOf()); }
void LogSigmoidAll(const float* x, float* out, size_t n) { Run(x, out, n, LogSigmoidOf()); }
void EluAll(const float* x, float* out, size_t n, float alpha, float gamma, float inner) {
  Run(x, out, n, EluOf{alpha, gamma, inner});
}
void ErfAll(const float* x, float* out, size_t n) { Run(x, out, n, ErfOf()); }
void GeluAll(const float* x, float* out, size_t n) { Run(x, out, n, GeluOf()); }
void GeluTanhAll(const float* x, float* out, size_t n) { Run(x, out, n, GeluTanhOf()); }
void MishAll(const float* x, float* out, size_t n) { Run(x, out, n, MishOf()); }

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {

HWY_EXPORT(ExpAll);
HWY_EXPORT(LogAll);
HWY_EXPORT(SoftplusAll);
HWY_EXPORT(LogSigmoidAll);
HWY_EXPORT(EluAll);
HWY_EXPORT(ErfAll);
HWY_EXPORT(GeluAll);
HWY_EXPORT(GeluTanhAll);
HWY_EXPORT(MishAll);

void Exp(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(ExpAll)(x.data(), out.data(), x.size());
}
void Log(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(LogAll)(x.data(), out.data(), x.size());
}
void Softplus(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(SoftplusAll)(x.data(), out.data(), x.size());
}
void LogSigmoid(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(LogSigmoidAll)(x.data(), out.data(), x.size());
}
void Elu(absl::Span<const float> x, float alpha, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(EluAll)(x.data(), out.data(), x.size(), alpha, 1.0F, 1.0F);
}
void Selu(absl::Span<const float> x, float alpha, float gamma, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(EluAll)(x.data(), out.data(), x.size(), alpha, gamma, 1.0F);
}
void Celu(absl::Span<const float> x, float alpha, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(EluAll)(x.data(), out.data(), x.size(), alpha, 1.0F, 1 / alpha);
}
void Erf(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(ErfAll)(x.data(), out.data(), x.size());
}
void Gelu(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(GeluAll)(x.data(), out.data(), x.size());
}
void GeluTanh(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(GeluTanhAll)(x.data(), out.data(), x.size());
}
void Mish(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(MishAll)(x.data(), out.data(), x.size());
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
