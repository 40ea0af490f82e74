#include "model/tensor/tensor.h"

#include <cstring>
#include <utility>

namespace sigserve {

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype),
      shape_(std::move(shape)),
      buffer_(static_cast<size_t>(shape_.elements()) * SizeOf(dtype)) {}

Tensor Tensor::Uninitialized(DType dtype, Shape shape) {
  const size_t bytes = static_cast<size_t>(shape.elements()) * SizeOf(dtype);
  return {dtype, std::move(shape), AlignedBuffer::Uninitialized(bytes)};
}

Tensor Tensor::CopyOf(const TensorView& view) {
  Tensor copy = Uninitialized(view.dtype(), view.shape());
  if (copy.bytes() > 0) std::memcpy(copy.data(), view.data(), copy.bytes());
  return copy;
}

}  // namespace sigserve
