// Element types of tensors. Sizes in bytes; names as users read them in errors.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace sigserve {

enum class DType : uint8_t { kFloat32, kFloat64, kInt32, kInt64, kBool };

size_t SizeOf(DType dtype);
/// "FLOAT32", "FLOAT64", "INT32", "INT64", "BOOL".
absl::string_view Name(DType dtype);

/// DTypeOf<float> == DType::kFloat32, and so on.
template <typename T>
inline constexpr DType DTypeOf = DType::kBool;
template <>
inline constexpr DType DTypeOf<float> = DType::kFloat32;
template <>
inline constexpr DType DTypeOf<double> = DType::kFloat64;
template <>
inline constexpr DType DTypeOf<int32_t> = DType::kInt32;
template <>
inline constexpr DType DTypeOf<int64_t> = DType::kInt64;

}  // namespace sigserve
