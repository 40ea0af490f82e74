// For the sources of this folder: the shapes of a model whose only free size is the batch, as
// functions of the batch size N: every size of every value is a + b*N. Sampled from inference at a
// few N; what holds there is a guess for any other N until inference has confirmed that N, too
// (Session does, once per N). Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/ops/core/op.h"

namespace sigserve {

class AffineShapes {
 public:
  /// `samples[i]`: the types of all values at batch size `sizes[i]` (ascending, at least two).
  /// False from valid() when some size is not of the form a + b*N with b >= 0, or a rank or dtype
  /// changes.
  AffineShapes() = default;
  AffineShapes(absl::Span<const int64_t> sizes, absl::Span<const std::vector<TensorType>> samples);

  bool valid() const { return valid_; }
  /// The type of a value at batch size n >= 1; n at most 2^31.
  void Evaluate(int value, int64_t n, TensorType& type) const;
  bool DependsOnBatch(int value, int dim) const {
    return types_[static_cast<size_t>(value)].dims[static_cast<size_t>(dim)].per_row != 0;
  }
  int value_count() const { return static_cast<int>(types_.size()); }

 private:
  struct Size {
    int64_t fixed = 0;
    int64_t per_row = 0;
  };
  struct AffineType {
    DType dtype = DType::kFloat32;
    std::vector<Size> dims;
  };
  bool valid_ = false;
  std::vector<AffineType> types_;
};

}  // namespace sigserve
