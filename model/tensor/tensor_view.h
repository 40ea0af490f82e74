// Borrowed tensors: dtype, shape and a pointer to row-major elements that the owner keeps alive and
// in place. Cheap to copy. TensorView reads; MutableTensorView writes. Data need not be aligned
// beyond its element size.
#pragma once

#include <utility>

#include "absl/types/span.h"
#include "model/tensor/dtype.h"
#include "model/tensor/shape.h"

namespace sigserve {

class TensorView {
 public:
  /// An absent tensor (an operator's optional input): data() is null.
  TensorView() = default;
  TensorView(DType dtype, Shape shape, const void* data)
      : dtype_(dtype), shape_(std::move(shape)), data_(data) {}

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const void* data() const { return data_; }
  /// From now on views elements of the same dtype and shape at another place.
  void set_data(const void* data) { data_ = data; }
  int64_t elements() const { return shape_.elements(); }
  bool present() const { return data_ != nullptr || present_empty(); }

  /// The elements. T must match dtype().
  template <typename T>
  absl::Span<const T> values() const {
    return absl::Span<const T>(static_cast<const T*>(data_), static_cast<size_t>(elements()));
  }

 private:
  // A tensor with no elements may have a null pointer; a default-constructed view has rank 0 and
  // thus one element.
  bool present_empty() const { return shape_.elements() == 0; }

  DType dtype_ = DType::kFloat32;
  Shape shape_;
  const void* data_ = nullptr;
};

class MutableTensorView {
 public:
  MutableTensorView() = default;
  MutableTensorView(DType dtype, Shape shape, void* data)
      : dtype_(dtype), shape_(std::move(shape)), data_(data) {}

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  void* data() const { return data_; }
  int64_t elements() const { return shape_.elements(); }
  bool present() const { return data_ != nullptr || shape_.elements() == 0; }

  template <typename T>
  absl::Span<T> values() const {
    return absl::Span<T>(static_cast<T*>(data_), static_cast<size_t>(elements()));
  }

  // NOLINTNEXTLINE(google-explicit-constructor): a writer may read
  operator TensorView() const { return {dtype_, shape_, data_}; }

 private:
  DType dtype_ = DType::kFloat32;
  Shape shape_;
  void* data_ = nullptr;
};

}  // namespace sigserve
