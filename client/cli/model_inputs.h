// Where a user's file meets a model's signature: names the array, converts the numbers to the
// model's dtype, and finds mistakes while their cause can still be named (the label column left
// in, columns in another order). Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/input_data.h"
#include "client/types.h"

namespace sigserve::cli {

/// Tensors for `model`, in the order of the file. INVALID_ARGUMENT says what the model takes and
/// what the file holds. A 1-D array is one row of a 2-D input.
absl::StatusOr<std::vector<client::Tensor>> FitToModel(const InputData& data,
                                                       const client::ModelInfo& model);

/// Rows that one request may carry: dimension 0 of every tensor if the model batches and they
/// agree; nothing (0) if the tensors cannot be cut.
int64_t SplittableRows(const std::vector<client::Tensor>& tensors, const client::ModelInfo& model);

/// Rows [begin, end) of every tensor.
std::vector<client::Tensor> SliceRows(const std::vector<client::Tensor>& tensors, int64_t begin,
                                      int64_t end);

}  // namespace sigserve::cli
