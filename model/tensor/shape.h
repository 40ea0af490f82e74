// Sizes of a tensor's dimensions, outermost first; rank 0 is a scalar with one element. A value:
// copies and compares; up to rank 6 without allocating. A concrete shape has no negative size; a
// declared one (a model's signature) has -1 where any size will do.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace sigserve {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) : dims_(dims) {}
  explicit Shape(absl::Span<const int64_t> dims) : dims_(dims.begin(), dims.end()) {}

  int rank() const { return static_cast<int>(dims_.size()); }
  int64_t operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  absl::Span<const int64_t> dims() const { return dims_; }

  void set(int i, int64_t size) { dims_[static_cast<size_t>(i)] = size; }
  void push_back(int64_t size) { dims_.push_back(size); }

  /// Product of the sizes; 1 for a scalar. Requires a concrete shape whose product fits (see
  /// Validate).
  int64_t elements() const;
  bool is_concrete() const;

  friend bool operator==(const Shape& a, const Shape& b) { return a.dims_ == b.dims_; }
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

  /// "[3,4]"; "[]" for a scalar.
  std::string ToString() const;

 private:
  absl::InlinedVector<int64_t, 6> dims_;
};

/// elements() x `element_bytes`, computed without overflow: INVALID_ARGUMENT for negative sizes and
/// for products over 2^62 bytes, whatever the order of the sizes (a zero does not hide an
/// overflow).
absl::StatusOr<int64_t> CheckedBytes(const Shape& shape, size_t element_bytes);

}  // namespace sigserve
