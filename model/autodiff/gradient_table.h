// The operators that gradients flow through: a table of backward rules, next to the table of
// operators (ops/op_table.h). An operator without an entry has no gradient, whatever its forward
// pass shares with one that has. Dropout has none: at inference it copies its input, so that its
// gradient would train a net without dropout.
//
// To make an operator differentiable: a rule in the file of its family in this folder, its maker in
// gradients.h, a line in gradient_table.cc and cases in gradient_test.cc.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/ops/core/op.h"

namespace sigserve {

/// What a node computed, the gradients of the loss by its outputs, and those by its inputs. All
/// FLOAT32 where a gradient flows; with the shapes of the forward pass. Entries of `grad_in` that
/// are not needed are not present().
struct BackwardPass {
  absl::Span<const TensorView> in;
  absl::Span<const TensorView> out;
  absl::Span<const TensorView> grad_out;
  absl::Span<const MutableTensorView> grad_in;
};

/// Adds to each present `grad_in[i]` the gradient by `in[i]`. Cannot fail; thread-safe.
using BackwardRule = std::function<void(const BackwardPass&)>;

/// The rule for a node that MakeOp() accepts. UNIMPLEMENTED names the node and lists the operators
/// that have a gradient.
absl::StatusOr<BackwardRule> MakeBackwardRule(const NodeSpec& node);

}  // namespace sigserve
