// For the bfloat16 sources of this folder: bfloat16 in vectors of floats. Included once per CPU
// target, as Highway's own -inl.h headers are.
#if defined(SIGSERVE_MODEL_KERNELS_BF16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SIGSERVE_MODEL_KERNELS_BF16_INL_H_
#undef SIGSERVE_MODEL_KERNELS_BF16_INL_H_
#else
#define SIGSERVE_MODEL_KERNELS_BF16_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "model/kernels/unroll.h"

// Whether vectors of this target can do what AMX does: one rounding per multiply-add, and
// subnormal numbers flushed.
#undef SIGSERVE_BF16_VECTORS
#if HWY_NATIVE_FMA && defined(__x86_64__)
#define SIGSERVE_BF16_VECTORS 1
#else
#define SIGSERVE_BF16_VECTORS 0
#endif

HWY_BEFORE_NAMESPACE();
namespace sigserve::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The bits of the nearest bfloat16, as those of a float.
template <class V>
HWY_INLINE auto Rounded(V x) {
  const hn::RebindToUnsigned<hn::DFromV<V>> du;
  const auto bits = hn::BitCast(du, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
  const auto nearest = hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFF)));
  const auto quiet = hn::Or(bits, hn::Set(du, 0x400000));
  const auto is_number = hn::RebindMask(du, hn::Eq(x, x));
  return hn::And(hn::IfThenElse(is_number, nearest, quiet), hn::Set(du, 0xFFFF0000U));
}

// As bfloat16.
template <class V>
HWY_INLINE auto Narrowed(V x) {
  using D = hn::DFromV<V>;
  const hn::RebindToSigned<D> di;
  return hn::DemoteTo(hn::Rebind<uint16_t, D>(), hn::BitCast(di, hn::ShiftRight<16>(Rounded(x))));
}

// The first and the second of each pair of bfloat16, as floats.
template <class V>
HWY_INLINE auto EvenOf(V pairs) {
  const hn::Repartition<float, hn::DFromV<V>> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::BitCast(du, pairs)));
}
template <class V>
HWY_INLINE auto OddOf(V pairs) {
  const hn::Repartition<float, hn::DFromV<V>> d;
  const hn::RebindToUnsigned<decltype(d)> du;
  return hn::BitCast(d, hn::And(hn::BitCast(du, pairs), hn::Set(du, 0xFFFF0000U)));
}

}  // namespace HWY_NAMESPACE
}  // namespace sigserve::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
