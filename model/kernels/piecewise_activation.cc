// The activations that are straight lines, put together.
#include <cstddef>

#include "model/kernels/activation.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/piecewise_activation.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"
#include "model/kernels/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Not Min and Max: they may lose a NaN.
template <class D, class V>
HWY_INLINE V Clamped01(D d, V x) {
  const V one = hn::Set(d, 1.0F);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Zero(d),
                        hn::IfThenElse(hn::Gt(x, one), one, x));
}

struct LeakyReluOf {
  float alpha;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(hn::Set(d, alpha), x), x);
  }
};

struct ThresholdedReluOf {
  float alpha;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::IfThenElse(hn::Le(x, hn::Set(d, alpha)), hn::Zero(d), x);
  }
};

struct HardSigmoidOf {
  float alpha;
  float beta;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return Clamped01(d, hn::MulAdd(hn::Set(d, alpha), x, hn::Set(d, beta)));
  }
};

struct HardSwishOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V weight = Clamped01(d, hn::MulAdd(hn::Set(d, 1.0F / 6), x, hn::Set(d, 0.5F)));
    return hn::Mul(x, weight);
  }
};

struct SoftsignOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Div(x, hn::Add(hn::Set(d, 1.0F), hn::Abs(x)));
  }
};

void LeakyReluAll(const float* x, float* out, size_t n, float alpha) {
  Run(x, out, n, LeakyReluOf{alpha});
}
void ThresholdedReluAll(const float* x, float* out, size_t n, float alpha) {
  Run(x, out, n, ThresholdedReluOf{alpha});
}
void HardSigmoidAll(const float* x, float* out, size_t n, float alpha, float beta) {
  Run(x, out, n, HardSigmoidOf{alpha, beta});
}
void HardSwishAll(const float* x, float* out, size_t n) { Run(x, out, n, HardSwishOf()); }
void SoftsignAll(const float* x, float* out, size_t n) { Run(x, out, n, SoftsignOf()); }

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {

HWY_EXPORT(LeakyReluAll);
HWY_EXPORT(ThresholdedReluAll);
HWY_EXPORT(HardSigmoidAll);
HWY_EXPORT(HardSwishAll);
HWY_EXPORT(SoftsignAll);

void LeakyRelu(absl::Span<const float> x, float alpha, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(LeakyReluAll)(x.data(), out.data(), x.size(), alpha);
}
void ThresholdedRelu(absl::Span<const float> x, float alpha, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(ThresholdedReluAll)(x.data(), out.data(), x.size(), alpha);
}
void HardSigmoid(absl::Span<const float> x, float alpha, float beta, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(HardSigmoidAll)(x.data(), out.data(), x.size(), alpha, beta);
}
void HardSwish(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(HardSwishAll)(x.data(), out.data(), x.size());
}
void Softsign(absl::Span<const float> x, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(SoftsignAll)(x.data(), out.data(), x.size());
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
