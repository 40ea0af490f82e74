// For softmax.cc and post_transform.cc. One row at a time, `count` elements `stride` apart; `y`
// may be `x`. Stable: exponents are of differences from the largest element.
#pragma once

#include <cstddef>

namespace sigserve {

void SoftmaxRow(const float* x, size_t count, size_t stride, float* y);
void LogSoftmaxRow(const float* x, size_t count, size_t stride, float* y);

}  // namespace sigserve
