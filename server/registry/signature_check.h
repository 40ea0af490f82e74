// A request's inputs against a model's signature: a pure function, and the errors a caller reads at
// 3 a.m. Where Triton's clients look for a text, it is Triton's, with what helps added after it.
#pragma once

#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/runtime/signature.h"
#include "model/tensor/tensor_view.h"
#include "server/registry/servable.h"

namespace sigserve {

struct CheckOptions {
  /// Rows a request may have at most; 0 = no limit.
  int64_t max_batch_size = 0;
  bool forbid_nan = false;
};

struct CheckedInputs {
  absl::InlinedVector<TensorView, 1> inputs;  // in the signature's order
  int64_t rows = 1;
};

/// `model`: for errors. INVALID_ARGUMENT, in this order: count, unknown or duplicate name, dtype,
/// shape, no rows, rows that differ between inputs, too many rows, NaN.
absl::StatusOr<CheckedInputs> CheckInputs(absl::string_view model, const Signature& signature,
                                          const CheckOptions& options,
                                          absl::Span<const NamedTensor> inputs);

}  // namespace sigserve
