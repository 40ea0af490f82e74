// For Softmax, LogSoftmax and the post-transforms of ai.onnx.ml. One row at a time, `count`
// elements `stride` apart; `y` may be `x`. T: float, double. Stable: exponents are of differences
// from the largest element.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "model/ops/core/op.h"

namespace sigserve {

/// Which elements of a tensor Softmax and LogSoftmax take as one row. Until opset 12 all dimensions
/// from `axis` on are one row; from 13 on only `axis` itself is.
struct SoftmaxAxis {
  int64_t axis = -1;  // negative: counts from the end
  bool flattens = false;

  /// Calls f(offset of the first element, count, stride) for each row. `axis` is in range.
  template <typename F>
  void ForEachRow(const Shape& shape, F f) const;
};

absl::StatusOr<SoftmaxAxis> ReadSoftmaxAxis(const NodeSpec& node);

template <typename T>
void SoftmaxRow(const T* x, size_t count, size_t stride, T* y);
template <typename T>
void LogSoftmaxRow(const T* x, size_t count, size_t stride, T* y);

template <typename F>
void SoftmaxAxis::ForEachRow(const Shape& shape, F f) const {
  const int at = static_cast<int>(axis < 0 ? axis + shape.rank() : axis);
  size_t outer = 1;
  size_t count = 1;
  size_t stride = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    const bool in_row = i == at || (flattens && i > at);
    (i < at ? outer : in_row ? count : stride) *= static_cast<size_t>(shape[i]);
  }
  for (size_t o = 0; count > 0 && o < outer; ++o) {
    for (size_t s = 0; s < stride; ++s) {
      f(o * count * stride + s, count, stride);
    }
  }
}

}  // namespace sigserve
