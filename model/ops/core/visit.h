// For the sources of this folder: one text for every element type.
#pragma once

#include <cstdint>

#include "model/tensor/dtype.h"

namespace sigserve {

template <typename T>
struct TypeTag {
  using type = T;
};

/// Calls f(TypeTag<T>()) for the element type T of `dtype`.
template <typename F>
decltype(auto) VisitDType(DType dtype, F f) {
  switch (dtype) {
    case DType::kFloat32:
      return f(TypeTag<float>());
    case DType::kFloat64:
      return f(TypeTag<double>());
    case DType::kInt32:
      return f(TypeTag<int32_t>());
    case DType::kInt64:
      return f(TypeTag<int64_t>());
    case DType::kBool:
      break;
  }
  return f(TypeTag<bool>());
}

/// Calls f(TypeTag<U>()) for an unsigned integer U as wide as an element: for operators that only
/// move elements.
template <typename F>
void VisitWidth(DType dtype, F f) {
  switch (SizeOf(dtype)) {
    case 1:
      return f(TypeTag<uint8_t>());
    case 4:
      return f(TypeTag<uint32_t>());
    default:
      return f(TypeTag<uint64_t>());
  }
}

}  // namespace sigserve
