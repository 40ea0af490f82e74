// A tensor that owns its elements (row-major, 64-byte aligned, zeros at first). Moves; copies only
// by Clone().
#pragma once

#include <initializer_list>

#include "absl/types/span.h"
#include "model/base/aligned_buffer.h"
#include "model/tensor/tensor_view.h"

namespace sigserve {

class Tensor {
 public:
  /// A FLOAT32 tensor of shape [0].
  Tensor() : Tensor(DType::kFloat32, Shape{0}) {}
  /// Requires a concrete shape that CheckedBytes accepts.
  Tensor(DType dtype, Shape shape);
  /// The same, but for who writes every element before it is read.
  static Tensor Uninitialized(DType dtype, Shape shape);

  /// A tensor with these values; their count must be shape.elements().
  template <typename T>
  static Tensor Of(Shape shape, absl::Span<const T> values);
  template <typename T>
  static Tensor Of(Shape shape, std::initializer_list<T> values) {
    return Of<T>(std::move(shape), absl::MakeConstSpan(values.begin(), values.size()));
  }
  static Tensor CopyOf(const TensorView& view);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t elements() const { return shape_.elements(); }
  size_t bytes() const { return buffer_.size(); }
  const void* data() const { return buffer_.data(); }
  void* data() { return buffer_.data(); }

  /// The elements. T must match dtype().
  template <typename T>
  absl::Span<const T> values() const {
    return absl::Span<const T>(static_cast<const T*>(buffer_.data()),
                               static_cast<size_t>(elements()));
  }
  template <typename T>
  absl::Span<T> mutable_values() {
    return absl::Span<T>(static_cast<T*>(buffer_.data()), static_cast<size_t>(elements()));
  }

  TensorView view() const { return {dtype_, shape_, buffer_.data()}; }
  MutableTensorView mutable_view() { return {dtype_, shape_, buffer_.data()}; }
  Tensor Clone() const { return CopyOf(view()); }

 private:
  Tensor(DType dtype, Shape shape, AlignedBuffer buffer)
      : dtype_(dtype), shape_(std::move(shape)), buffer_(std::move(buffer)) {}

  DType dtype_;
  Shape shape_;
  AlignedBuffer buffer_;
};

template <typename T>
Tensor Tensor::Of(Shape shape, absl::Span<const T> values) {
  return CopyOf(TensorView(DTypeOf<T>, std::move(shape), values.data()));
}

}  // namespace sigserve
