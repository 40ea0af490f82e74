// For the sources of this folder: ONNX (numpy) broadcasting of two operands.
#pragma once

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "model/tensor/tensor_view.h"

namespace sigserve {

/// The common shape; INVALID_ARGUMENT "left is [3,4], right is [5]: ..." when there is none.
absl::StatusOr<Shape> BroadcastShape(const Shape& a, const Shape& b);

/// Walks a broadcast as runs of elements that lie side by side in the output. Neighbouring
/// dimensions that broadcast alike are merged, so that equal shapes are one run.
class BroadcastRuns {
 public:
  /// The shapes must broadcast.
  BroadcastRuns(const Shape& a, const Shape& b);

  /// Elements in each run; in a run, an operand either has as many elements or repeats one.
  int64_t length() const { return length_; }
  bool a_repeats() const { return a_repeats_; }
  bool b_repeats() const { return b_repeats_; }

  /// Calls f(a_offset, b_offset, out_offset) for each run, in the output's order.
  template <typename F>
  void ForEach(F f) const;

 private:
  struct Dimension {
    int64_t size;
    int64_t a_stride;
    int64_t b_stride;
  };
  absl::InlinedVector<Dimension, 4> outer_;
  int64_t runs_ = 1;
  int64_t length_ = 1;
  bool a_repeats_ = false;
  bool b_repeats_ = false;
};

template <typename F>
void BroadcastRuns::ForEach(F f) const {
  absl::InlinedVector<int64_t, 4> index(outer_.size(), 0);
  int64_t a = 0;
  int64_t b = 0;
  for (int64_t run = 0; run < runs_; ++run) {
    f(a, b, run * length_);
    for (size_t d = outer_.size(); d-- > 0;) {
      a += outer_[d].a_stride;
      b += outer_[d].b_stride;
      if (++index[d] < outer_[d].size) {
        break;
      }
      a -= outer_[d].size * outer_[d].a_stride;
      b -= outer_[d].size * outer_[d].b_stride;
      index[d] = 0;
    }
  }
}

}  // namespace sigserve
