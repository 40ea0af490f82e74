#include "model/runtime/affine_shapes.h"

namespace sigserve {

AffineShapes::AffineShapes(absl::Span<const int64_t> sizes,
                           absl::Span<const std::vector<TensorType>> samples) {
  if (sizes.size() < 2 || samples.size() != sizes.size()) return;
  const size_t values = samples[0].size();
  types_.resize(values);
  for (size_t v = 0; v < values; ++v) {
    const TensorType& first = samples[0][v];
    types_[v].dtype = first.dtype;
    for (size_t s = 1; s < samples.size(); ++s) {
      const TensorType& other = samples[s][v];
      if (other.dtype != first.dtype || other.shape.rank() != first.shape.rank()) return;
    }
    for (int d = 0; d < first.shape.rank(); ++d) {
      const int64_t step = sizes[1] - sizes[0];
      const int64_t rise = samples[1][v].shape[d] - first.shape[d];
      if (rise < 0 || rise % step != 0) return;
      const Size size{first.shape[d] - rise / step * sizes[0], rise / step};
      for (size_t s = 0; s < samples.size(); ++s) {
        if (samples[s][v].shape[d] != size.fixed + size.per_row * sizes[s]) return;
      }
      types_[v].dims.push_back(size);
    }
  }
  valid_ = true;
}

void AffineShapes::Evaluate(int value, int64_t n, TensorType& type) const {
  const AffineType& affine = types_[static_cast<size_t>(value)];
  type.dtype = affine.dtype;
  if (type.shape.rank() != static_cast<int>(affine.dims.size())) {
    type.shape = Shape(std::vector<int64_t>(affine.dims.size(), 0));
  }
  for (size_t d = 0; d < affine.dims.size(); ++d) {
    type.shape.set(static_cast<int>(d), affine.dims[d].fixed + affine.dims[d].per_row * n);
  }
}

}  // namespace sigserve
