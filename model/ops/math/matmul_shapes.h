// The shapes of numpy.matmul: the last two dimensions are matrices, the others broadcast; a 1-D
// operand is a row on the left, a column on the right, and that dimension is then dropped from the
// result.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/ops/core/broadcast.h"
#include "model/tensor/shape.h"

namespace sigserve {

struct MatMulShapes {
  Shape a_batch;
  Shape b_batch;
  int64_t m = 1;
  int64_t k = 1;  // of the left
  int64_t right_rows = 1;
  int64_t n = 1;

  /// Neither operand is a scalar.
  MatMulShapes(const Shape& a, const Shape& b)
      : a_batch(a.dims().subspan(0, static_cast<size_t>(std::max(a.rank() - 2, 0)))),
        b_batch(b.dims().subspan(0, static_cast<size_t>(std::max(b.rank() - 2, 0)))),
        m(a.rank() > 1 ? a[a.rank() - 2] : 1),
        k(a[a.rank() - 1]),
        right_rows(b.rank() > 1 ? b[b.rank() - 2] : b[0]),
        n(b.rank() > 1 ? b[b.rank() - 1] : 1) {}

  /// Calls f(offset in a, offset in b, offset in the product) for each pair of matrices.
  template <typename F>
  void ForEachProduct(F f) const {
    const BroadcastRuns runs(a_batch, b_batch);
    runs.ForEach([&](int64_t ia, int64_t ib, int64_t iy) {
      for (int64_t i = 0; i < runs.length(); ++i) {
        f((ia + (runs.a_repeats() ? 0 : i)) * m * k, (ib + (runs.b_repeats() ? 0 : i)) * k * n,
          (iy + i) * m * n);
      }
    });
  }
};

}  // namespace sigserve
