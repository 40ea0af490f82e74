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

struct ReluOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {  // not Max: it may lose a NaN
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d), x);
  }
};

void SigmoidAll(const float* x, float* out, size_t n) { Run(x, out, n, SigmoidOf()); }
void TanhAll(const float* x, float* out, size_t n) { Run(x, out, n, TanhOf()); }
void ReluAll(const float* x, float* out, size_t n) { Run(x, out, n, ReluOf()); }

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {

HWY_EXPORT(SigmoidAll);
HWY_EXPORT(TanhAll);
HWY_EXPORT(ReluAll);

void Sigmoid(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(SigmoidAll)(x.data(), out.data(), x.size());
}
void Tanh(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(TanhAll)(x.data(), out.data(), x.size());
}
void Relu(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(ReluAll)(x.data(), out.data(), x.size());
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
