// For Softmax, LogSoftmax and the post-transforms of ai.onnx.ml. One row at a time, `count`
// elements `stride` apart; `y` may be `x`. T: float, double. Stable: exponents are of differences
// from the largest element.
#pragma once

#include <cstddef>

namespace sigserve {

template <typename T>
void SoftmaxRow(const T* x, size_t count, size_t stride, T* y);
template <typename T>
void LogSoftmaxRow(const T* x, size_t count, size_t stride, T* y);

}  // namespace sigserve
