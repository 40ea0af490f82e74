#include "model/ops/core/strided.h"

#include <cstring>

#include "model/ops/core/visit.h"

namespace sigserve {

Strides StridesOf(const Shape& shape) {
  Strides strides(static_cast<size_t>(shape.rank()), 1);
  for (int i = shape.rank() - 1; i-- > 0;) {
    strides[static_cast<size_t>(i)] = strides[static_cast<size_t>(i) + 1] * shape[i + 1];
  }
  return strides;
}

Strides BroadcastStrides(const Shape& shape, const Shape& to) {
  const Strides own = StridesOf(shape);
  Strides strides(static_cast<size_t>(to.rank()), 0);
  const auto added = static_cast<size_t>(to.rank() - shape.rank());
  for (size_t i = 0; i < own.size(); ++i) {
    strides[added + i] = shape[static_cast<int>(i)] == 1 ? 0 : own[i];
  }
  return strides;
}

void CopyStrided(const TensorView& from, int64_t offset, absl::Span<const int64_t> strides,
                 const MutableTensorView& to) {
  if (to.elements() == 0) {
    return;
  }
  const StridedWalk<1> walk(to.shape().dims(), {strides});
  const int64_t n = walk.length();
  const int64_t step = walk.steps()[0];
  VisitWidth(to.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* x = static_cast<const T*>(from.data()) + offset;
    T* y = static_cast<T*>(to.data());
    walk.ForEach([&](const auto& at, int64_t out) {
      const T* run = x + at[0];
      if (step == 1) {
        std::memcpy(y + out, run, static_cast<size_t>(n) * sizeof(T));
        return;
      }
      for (int64_t i = 0; i < n; ++i) {
        y[out + i] = run[i * step];
      }
    });
  });
}

}  // namespace sigserve
