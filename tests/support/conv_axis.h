// A dimension of a convolution from what models say of it.
#pragma once

#include <cstddef>

#include "model/kernels/conv.h"

namespace sigserve::testing_support {

/// `pad`: on either side. No outputs where the taps do not fit in.
inline kernels::ConvAxis Axis(size_t input, size_t taps, size_t stride = 1, ptrdiff_t pad = 0,
                              ptrdiff_t dilation = 1) {
  kernels::ConvAxis axis;
  axis.input = input;
  axis.taps = taps;
  axis.step = stride;
  axis.first = -pad;
  axis.tap_step = dilation;
  const ptrdiff_t room =
      static_cast<ptrdiff_t>(input) + 2 * pad - (static_cast<ptrdiff_t>(taps) - 1) * dilation - 1;
  axis.grid = axis.output = room < 0 ? 0 : static_cast<size_t>(room) / stride + 1;
  return axis;
}

}  // namespace sigserve::testing_support
