#include "model/kernels/activation.h"

#include <cstddef>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/activation.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"
#include "model/kernels/activation-inl.h"

// Sigmoid and tanh share one plan. With the exponential z as a sum of two floats, high and low, the
// result is a quotient of sums of two floats, such as 1 / (1 + z): divided once, then corrected by
// the exact remainder. Division is IEEE division, not the CPU's estimate of a
// reciprocal, so that every target with fused multiply-add gives the same bits.

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct TanhOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const hn::RebindToSigned<D> di;
    const V one = hn::Set(d, 1.0F);
    const V a = hn::Min(hn::Abs(x), hn::Set(d, 20.0F));  // beyond, the result is 1
    hn::Vec<decltype(di)> n;
    const Pair<V> e = ExpOfMinus(d, hn::Add(a, a), n);
    const V scale = PowerOfTwo(d, n);
    const V z = hn::Mul(e.high, scale);
    const V z_low = hn::Mul(e.low, scale);
    // tanh = (1 - z) / (1 + z). 1 - z.high is exact in two parts, and so keeps small x.
    Pair<V> numerator = FastSum(one, hn::Neg(z));
    numerator = FastSum(numerator.high, hn::Sub(numerator.low, z_low));
    Pair<V> denominator = FastSum(one, z);
    denominator.low = hn::Add(denominator.low, z_low);
    const V y = hn::CopySign(Quotient(d, numerator, denominator), x);
    return hn::IfThenElse(hn::Eq(x, x), y, x);
  }
};

// 1 / (1 + z) as it stands, z with half as many coefficients.
struct FastNearZero {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const hn::RebindToSigned<D> di;
    const V one = hn::Set(d, 1.0F);
    // As SigmoidNearZero().
    const V magic = hn::Set(d, 12582912.0F);
    const V shifted = hn::MulAdd(x, hn::Set(d, -1.44269504F), magic);
    const V n = hn::Sub(shifted, magic);
    V r = hn::MulAdd(n, hn::Set(d, 0.693145751953125F), x);
    r = hn::MulAdd(n, hn::Set(d, 1.428606765330187e-06F), r);
    // Minimax, error 1.76 * 2^-24.
    V p = hn::Set(d, 0.0083124526F);
    p = hn::NegMulAdd(p, r, hn::Set(d, 0.041890234F));
    p = hn::NegMulAdd(p, r, hn::Set(d, 0.16667116F));
    p = hn::NegMulAdd(p, r, hn::Set(d, 0.49999231F));
    p = hn::NegMulAdd(p, r, one);
    p = hn::NegMulAdd(p, r, one);
    const V z =
        hn::BitCast(d, hn::Add(hn::ShiftLeft<23>(hn::BitCast(di, shifted)), hn::BitCast(di, p)));
    const V denominator = hn::Add(one, z);
    return hn::Div(one, denominator);
  }
};

struct ReluOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {  // not Max: it may lose a NaN
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);
  }
};

void SigmoidAll(const float* x, float* out, size_t n) { Run(x, out, n, SigmoidOf()); }
void FastSigmoidAll(const float* x, float* out, size_t n) {
  Run(x, out, n, SigmoidBy<FastNearZero>());
}
void TanhAll(const float* x, float* out, size_t n) { Run(x, out, n, TanhOf()); }
void ReluAll(const float* x, float* out, size_t n) { Run(x, out, n, ReluOf()); }

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {

HWY_EXPORT(SigmoidAll);
HWY_EXPORT(FastSigmoidAll);
HWY_EXPORT(TanhAll);
HWY_EXPORT(ReluAll);

void Sigmoid(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(SigmoidAll)(x.data(), out.data(), x.size());
}
void FastSigmoid(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(FastSigmoidAll)(x.data(), out.data(), x.size());
}
void Tanh(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(TanhAll)(x.data(), out.data(), x.size());
}
void Relu(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(ReluAll)(x.data(), out.data(), x.size());
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
