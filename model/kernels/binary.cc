#include "model/kernels/binary.h"

#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/binary.cc"
#include "hwy/foreach_target.h"
// After foreach_target.h.
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct AddOp {
  template <class V>
  V operator()(V a, V b) const {
    return hn::Add(a, b);
  }
};
struct SubOp {
  template <class V>
  V operator()(V a, V b) const {
    return hn::Sub(a, b);
  }
};
struct MulOp {
  template <class V>
  V operator()(V a, V b) const {
    return hn::Mul(a, b);
  }
};
struct DivOp {
  template <class V>
  V operator()(V a, V b) const {
    return hn::Div(a, b);
  }
};

// Step 0 repeats the one element.
template <size_t kStepA, size_t kStepB, class D, class F>
HWY_INLINE void Loop(D d, const float* a, const float* HWY_RESTRICT b, float* out, size_t n, F f) {
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto va = kStepA != 0 ? hn::LoadU(d, a + i) : hn::Set(d, *a);
    const auto vb = kStepB != 0 ? hn::LoadU(d, b + i) : hn::Set(d, *b);
    hn::StoreU(f(va, vb), d, out + i);
  }
  const hn::CappedTag<float, 1> one;
  for (; i < n; ++i) {
    hn::StoreU(f(hn::LoadU(one, a + i * kStepA), hn::LoadU(one, b + i * kStepB)), one, out + i);
  }
}

template <class F>
HWY_INLINE void Run(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out,
                    F f) {
  const hn::ScalableTag<float> d;
  const size_t n = out.size();
  if (a.size() == n && b.size() == n) {
    Loop<1, 1>(d, a.data(), b.data(), out.data(), n, f);
  } else if (a.size() == n) {
    Loop<1, 0>(d, a.data(), b.data(), out.data(), n, f);
  } else if (b.size() == n) {
    Loop<0, 1>(d, a.data(), b.data(), out.data(), n, f);
  } else {
    Loop<0, 0>(d, a.data(), b.data(), out.data(), n, f);
  }
}

void AddAll(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out) {
  Run(a, b, out, AddOp());
}
void SubAll(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out) {
  Run(a, b, out, SubOp());
}
void MulAll(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out) {
  Run(a, b, out, MulOp());
}
void DivAll(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out) {
  Run(a, b, out, DivOp());
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sigserve::kernels {

HWY_EXPORT(AddAll);
HWY_EXPORT(SubAll);
HWY_EXPORT(MulAll);
HWY_EXPORT(DivAll);

void Add(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(AddAll)(a, b, out);
}
void Sub(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(SubAll)(a, b, out);
}
void Mul(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(MulAll)(a, b, out);
}
void Div(absl::Span<const float> a, absl::Span<const float> b, absl::Span<float> out) {
  HWY_DYNAMIC_DISPATCH(DivAll)(a, b, out);
}

}  // namespace sigserve::kernels
#endif  // HWY_ONCE
