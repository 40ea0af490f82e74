// The safetensors format, in and out: 8 bytes length, a JSON header, the tensors' bytes one after
// the other. Files come from users: everything is checked before memory is taken for a tensor. Pure
// functions; thread-safe. Source: https://huggingface.co/docs/safetensors
//
// Read: F64, F32, F16, BF16 (all become FLOAT32), I64, I32, BOOL. Limits: header 100,000,000 bytes,
// 100,000 tensors, rank 64.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/formats/weights/named_tensors.h"

namespace sigserve {

/// `bytes`: the whole file. Tensors come in the order of their bytes. Messages start with a stable
/// token and name the tensor. INVALID_ARGUMENT: ST_TRUNCATED, ST_HEADER_TOO_LARGE,
/// ST_HEADER_LENGTH, ST_HEADER_UTF8, ST_HEADER_JSON, ST_HEADER_DEPTH, ST_DUP_NAME, ST_DUP_KEY,
/// ST_METADATA, ST_OVERFLOW, ST_SHAPE, ST_RANK_LIMIT, ST_OFFSET, ST_OVERLAP, ST_HOLE, ST_TRAILING,
/// ST_SIZE, ST_MISALIGNED, ST_NAME, ST_BOOL, MODEL_NONFINITE. UNIMPLEMENTED: ST_DTYPE.
/// RESOURCE_EXHAUSTED: ST_TENSOR_COUNT.
/// `numbers` kAny: NaN and infinities are fine, as for inputs; weights have none.
enum class Numbers { kFinite, kAny };
absl::StatusOr<NamedTensors> ReadSafetensors(absl::string_view bytes,
                                             Numbers numbers = Numbers::kFinite);

/// The same tensors give the same bytes: largest element type first, then by name.
/// INVALID_ARGUMENT (ST_NAME, ST_DUP_NAME) for a name that ReadSafetensors would refuse.
absl::StatusOr<std::string> WriteSafetensors(const NamedTensors& tensors);

}  // namespace sigserve
