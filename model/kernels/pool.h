// Maxima and means over windows that slide over planes of up to three dimensions. Taps outside the
// input are left out of a maximum (a window has at least one inside) and of a mean's sum. A NaN in
// the window gives NaN. Sums are in double precision and in the order of the taps, so that a plane
// has the same bits in any batch and on every CPU target.
//
// Thread-safe, no allocation, cannot fail. Nothing may overlap the output.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sigserve::kernels {

/// Output o reads the input at o * stride - pad_begin + tap * dilation.
struct PoolAxis {
  size_t input = 1;
  size_t output = 1;
  size_t kernel = 1;
  size_t stride = 1;
  size_t dilation = 1;
  size_t pad_begin = 0;
  size_t pad_end = 0;
};

struct PoolShape {
  /// Batch times channels.
  size_t planes = 1;
  /// Depth, height, width.
  PoolAxis axis[3];
};

void MaxPool(const PoolShape& shape, const float* x, float* out);
/// As well as the maxima, where the first of each is: index(z, y, x) within the plane, by these
/// strides, plus plane * elements of a plane.
void MaxPoolIndices(const PoolShape& shape, const size_t strides[3], const float* x, float* out,
                    int64_t* indices);
/// count_padding: divide by the number of taps in the padded input, else by that in the input.
void AveragePool(const PoolShape& shape, bool count_padding, const float* x, float* out);

}  // namespace sigserve::kernels
