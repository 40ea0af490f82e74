// For gather.cc, gather_elements.cc and one_hot.cc: INT32 or INT64 indices, which may be negative
// (counted from the end). Known indices out of range are refused; others cannot be, as Forward()
// cannot fail: they select NaN (0 in integers, false in BOOL), so that the answer shows it.
#pragma once

#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/ops/core/attribute_error.h"
#include "model/ops/core/op.h"

namespace sigserve {

inline int64_t IndexAt(const TensorView& indices, size_t i) {
  return indices.dtype() == DType::kInt64 ? static_cast<const int64_t*>(indices.data())[i]
                                          : static_cast<const int32_t*>(indices.data())[i];
}

/// INVALID_ARGUMENT unless `indices` are integers and those known lie in [-size, size).
inline absl::Status CheckIndices(const Operand& indices, int64_t size) {
  const TensorType& type = indices.type;
  if (type.dtype != DType::kInt32 && type.dtype != DType::kInt64) {
    return absl::InvalidArgumentError(
        absl::StrCat("indices are ", Name(type.dtype), ", expected INT32 or INT64"));
  }
  if (!indices.value.present()) {
    return absl::OkStatus();
  }
  const auto n = static_cast<size_t>(type.shape.elements());
  for (size_t i = 0; i < n; ++i) {
    const int64_t index = IndexAt(indices.value, i);
    if (index < -size || index >= size) {
      return AttributeError(
          absl::StrCat("index ", index, " (element ", i, ") is out of range for size ", size));
    }
  }
  return absl::OkStatus();
}

/// Where `index` points, or -1 when it is out of range.
inline int64_t Resolved(int64_t index, int64_t size) {
  const int64_t resolved = index < 0 ? index + size : index;
  return resolved >= 0 && resolved < size ? resolved : -1;
}

/// What an index out of range selects.
template <typename T>
constexpr T Nothing() {
  if constexpr (std::is_floating_point_v<T>) {
    return std::numeric_limits<T>::quiet_NaN();
  } else {
    return T{};
  }
}

}  // namespace sigserve
