// What a weights file holds: tensors by name, in the file's order. FLOAT16, BFLOAT16 and FLOAT64
// elements become FLOAT32 when they are read; INT64, INT32 and BOOL stay what they are. Also what
// the readers of such files share: element types, copying with conversion, checks of names and
// values. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/tensor/tensor.h"

namespace sigserve {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Element types as they lie in files, little endian.
enum class ElementType : uint8_t { kF64, kF32, kF16, kBf16, kI64, kI32, kBool };

size_t SizeOf(ElementType type);
/// The tensor's type after reading.
DType LoadedType(ElementType type);

/// Reads `count` elements of `type` that lie one after the other into `to`, which holds elements of
/// LoadedType(type). False: a BOOL that is neither 0 nor 1.
bool CopyElements(ElementType type, const char* from, int64_t count, void* to);

/// Fills `out` (of LoadedType(type)) from `data`, which holds elements of `type`; `strides`, one
/// per dimension of `out`, count elements. The caller has checked that every element lies within
/// the data. INVALID_ARGUMENT, without the tensor's name: a BOOL that is neither 0 nor 1.
absl::Status ReadElements(ElementType type, const char* data, absl::Span<const int64_t> strides,
                          Tensor& out);
/// Row-major strides of a shape.
std::vector<int64_t> ContiguousStrides(const Shape& shape);

/// INVALID_ARGUMENT "MODEL_NONFINITE: ..." names the tensor and the first element that is NaN or
/// infinite. A FLOAT64 beyond FLOAT32 has become infinite.
absl::Status CheckFinite(absl::string_view name, const Tensor& tensor);

/// What is wrong with a tensor's name: "is empty", "has a control character", ...; empty when
/// nothing is. Allowed: 1 to 4096 bytes of UTF-8 without control characters, those that change the
/// direction of text included, and without anything that reads as a path out of a folder.
absl::string_view NameProblem(absl::string_view name);

/// A name as errors show it: quoted, escaped, shortened.
std::string Printable(absl::string_view name);

}  // namespace sigserve
