// What both APIs' tensors have in common: checked shapes and byte counts, and the inputs of a
// request once decoded. Elements are little-endian on the wire, as in memory. Errors are
// INVALID_ARGUMENT and name the input.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/runtime/signature.h"
#include "model/tensor/tensor.h"
#include "server/registry/servable.h"

namespace sigserve {

/// A request's inputs. The views point into the request's own bytes, which must stay, or into
/// `converted`.
struct DecodedInputs {
  absl::InlinedVector<NamedTensor, 1> tensors;
  std::vector<Tensor> converted;  // elements that the wire carries in another width
};

/// The most dimensions that a request's tensor may have.
inline constexpr int kMaxRank = 32;

/// Refuses negative sizes, more than kMaxRank dimensions, no elements, and products that overflow.
absl::StatusOr<Shape> DecodeShape(absl::string_view input, absl::Span<const int64_t> dims,
                                  DType dtype);

/// Elements given as bytes. `dtype_name` is the API's own word for `dtype`.
absl::StatusOr<TensorView> ViewOfBytes(absl::string_view input, DType dtype,
                                       absl::string_view dtype_name, const Shape& shape,
                                       absl::string_view bytes);

/// Elements given in a repeated field named `field`.
absl::StatusOr<TensorView> ViewOfElements(absl::string_view input, DType dtype, const Shape& shape,
                                          absl::string_view field, const void* data, int64_t count);

/// The signature's input of this name; an empty name means the only one. Null when there is none.
const InputSignature* FindInput(const Signature& signature, absl::string_view name);

/// Outputs of a signature, by index.
using OutputIndices = absl::InlinedVector<int, 4>;

/// The outputs asked for, in that order; all for an empty list. INVALID_ARGUMENT for a
/// name that the model lacks (lists those it has) or that comes twice.
absl::StatusOr<OutputIndices> SelectOutputs(const Signature& signature,
                                            absl::Span<const absl::string_view> names);

}  // namespace sigserve
