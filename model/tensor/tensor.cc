#include "model/tensor/tensor.h"

#include <cstring>
#include <utility>

namespace sigserve {

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype),
      shape_(std::move(shape)),
      buffer_(static_cast<size_t>(shape_.elements()) * SizeOf(dtype)) {}

Tensor Tensor::CopyOf(const TensorView& view) {
  Tensor copy(view.dtype(), view.shape());
  if (copy.bytes() > 0) std::memcpy(copy.data(), view.data(), copy.bytes());
  return copy;
}

}  // namespace sigserve
