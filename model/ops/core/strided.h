// For the sources of this folder: operands read with a step per dimension of the output, which is
// what transposing, slicing, broadcasting and reducing have in common.
#pragma once

#include <array>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "model/tensor/tensor_view.h"

namespace sigserve {

/// Distances between neighbours of each dimension, in elements, of a row-major tensor.
using Strides = absl::InlinedVector<int64_t, 6>;
Strides StridesOf(const Shape& shape);
/// The same for `shape` broadcast to `to`: 0 where an element is repeated.
Strides BroadcastStrides(const Shape& shape, const Shape& to);

/// Walks N operands in the order of a row-major output of these sizes, as runs of the innermost
/// dimension. Neighbouring dimensions are merged where all operands allow it.
template <size_t N>
class StridedWalk {
 public:
  using Offsets = std::array<int64_t, N>;

  StridedWalk(absl::Span<const int64_t> sizes,
              const std::array<absl::Span<const int64_t>, N>& strides);

  /// Elements in each run, and each operand's step from one to the next.
  int64_t length() const { return length_; }
  const Offsets& steps() const { return steps_; }

  /// Calls f(offsets of the run's first elements, the output's offset) for each run.
  template <typename F>
  void ForEach(F f) const;

 private:
  struct Dimension {
    int64_t size;
    Offsets strides;
  };
  absl::InlinedVector<Dimension, 6> outer_;
  int64_t runs_ = 1;
  int64_t length_ = 1;
  Offsets steps_{};
};

/// to = `from`, starting `offset` elements in and stepping `strides` for each dimension of `to`.
void CopyStrided(const TensorView& from, int64_t offset, absl::Span<const int64_t> strides,
                 const MutableTensorView& to);

template <size_t N>
StridedWalk<N>::StridedWalk(absl::Span<const int64_t> sizes,
                            const std::array<absl::Span<const int64_t>, N>& strides) {
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 1) {
      continue;
    }
    Dimension next{sizes[i], {}};
    bool merges = !outer_.empty();
    for (size_t k = 0; k < N; ++k) {
      next.strides[k] = strides[k][i];
      merges = merges && outer_.back().strides[k] == next.strides[k] * next.size;
    }
    if (merges) {
      outer_.back().size *= next.size;
      outer_.back().strides = next.strides;
    } else {
      outer_.push_back(next);
    }
  }
  if (outer_.empty()) {
    return;
  }
  length_ = outer_.back().size;
  steps_ = outer_.back().strides;
  outer_.pop_back();
  for (const Dimension& d : outer_) {
    runs_ *= d.size;
  }
  if (length_ == 0) {
    runs_ = 0;
  }
}

template <size_t N>
template <typename F>
void StridedWalk<N>::ForEach(F f) const {
  absl::InlinedVector<int64_t, 6> index(outer_.size(), 0);
  Offsets at{};
  for (int64_t run = 0; run < runs_; ++run) {
    f(at, run * length_);
    for (size_t d = outer_.size(); d-- > 0;) {
      const Dimension& dimension = outer_[d];
      const bool wraps = ++index[d] == dimension.size;
      for (size_t k = 0; k < N; ++k) {
        at[k] += wraps ? dimension.strides[k] * (1 - dimension.size) : dimension.strides[k];
      }
      if (!wraps) {
        break;
      }
      index[d] = 0;
    }
  }
}

}  // namespace sigserve
