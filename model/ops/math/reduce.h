// For reduce.cc and arg_extreme.cc: one result for the elements that share a place in the
// dimensions that are kept.
#pragma once

#include "model/ops/core/axes.h"
#include "model/ops/core/strided.h"

namespace sigserve {

/// `shape` without the reduced dimensions, or with 1 in their place.
inline Shape ReducedShape(const Shape& shape, const AxisSet& reduced, bool keep) {
  Shape result;
  for (int i = 0; i < shape.rank(); ++i) {
    if (!reduced[static_cast<size_t>(i)]) {
      result.push_back(shape[i]);
    } else if (keep) {
      result.push_back(1);
    }
  }
  return result;
}

class Reduction {
 public:
  Reduction(const Shape& shape, const AxisSet& reduced)
      : kept_(Part(shape, reduced, false)), reduced_(Part(shape, reduced, true)) {
    for (int i = 0; i < shape.rank(); ++i) {
      count_ *= reduced[static_cast<size_t>(i)] ? shape[i] : 1;
    }
  }

  /// Elements in each result.
  int64_t count() const { return count_; }

  /// Calls f(first element's offset, number of the result) for each result, in order.
  template <typename F>
  void ForEachResult(F f) const {
    kept_.ForEach([&](const auto& at, int64_t out) {
      for (int64_t i = 0; i < kept_.length(); ++i) {
        f(at[0] + i * kept_.steps()[0], out + i);
      }
    });
  }

  /// Calls f(x) for each element of the result that starts at `first`, in the order of the tensor.
  template <typename T, typename F>
  void ForEachElement(const T* first, F f) const {
    reduced_.ForEach([&](const auto& at, int64_t) {
      const T* run = first + at[0];
      const int64_t step = reduced_.steps()[0];
      for (int64_t i = 0; i < reduced_.length(); ++i) {
        f(run[i * step]);
      }
    });
  }

 private:
  static StridedWalk<1> Part(const Shape& shape, const AxisSet& reduced, bool which) {
    const Strides own = StridesOf(shape);
    Shape sizes;
    Strides strides;
    for (int i = 0; i < shape.rank(); ++i) {
      if (reduced[static_cast<size_t>(i)] == which) {
        sizes.push_back(shape[i]);
        strides.push_back(own[static_cast<size_t>(i)]);
      }
    }
    return StridedWalk<1>(sizes.dims(), {strides});
  }

  StridedWalk<1> kept_;
  StridedWalk<1> reduced_;
  int64_t count_ = 1;
};

}  // namespace sigserve
