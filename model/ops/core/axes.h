// For the sources of this folder: axes, and other small lists of integers that a node has as an
// attribute or, in newer opsets, as an input.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "model/ops/core/op.h"

namespace sigserve {

/// The dimension of `shape` that `axis` means: negative ones count from the end. INVALID_ARGUMENT
/// "axis 3 is out of range for input [2,3]".
absl::StatusOr<int> ResolveAxis(int64_t axis, const Shape& shape);

/// One flag per dimension of a shape of this rank. INVALID_ARGUMENT for axes out of range and for
/// repeated ones.
using AxisSet = absl::InlinedVector<bool, 8>;
absl::StatusOr<AxisSet> ResolveAxes(absl::Span<const int64_t> axes, int rank);

/// The elements of an INT32 or INT64 tensor of at most one dimension. INVALID_ARGUMENT for others;
/// UNIMPLEMENTED when the elements are not known from constants and shapes alone.
using Integers = absl::InlinedVector<int64_t, 8>;
absl::StatusOr<Integers> KnownIntegers(const Operand& operand, absl::string_view what);
/// The same for one element.
absl::StatusOr<int64_t> KnownInteger(const Operand& operand, absl::string_view what);

/// A list from the attribute if the node has it, else from input `index` if that is there; none
/// when it has neither.
absl::StatusOr<std::optional<Integers>> ListOf(const std::optional<std::vector<int64_t>>& attribute,
                                               absl::Span<const Operand> in, size_t index,
                                               absl::string_view what);
/// The attribute, if the node has it.
absl::StatusOr<std::optional<std::vector<int64_t>>> OptionalInts(const Attributes& attributes,
                                                                 absl::string_view name);

}  // namespace sigserve
