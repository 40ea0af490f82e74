// Every operator there is, listed by hand in op_table.cc: no static registration, so the linker
// drops nothing and the list can be read.
#pragma once

#include <memory>

#include "absl/types/span.h"
#include "model/ops/core/op.h"

namespace sigserve {

struct OpEntry {
  absl::string_view domain;
  absl::string_view type;
  /// Opsets of the domain that this entry implements, both ends included.
  int first_opset;
  int last_opset;
  /// Number of inputs (optional ones included) and of outputs that a node may have.
  int min_inputs;
  int max_inputs;
  int min_outputs;
  int max_outputs;
  /// `constants`: one view per input, not present() for those not known yet. They outlive the op.
  /// INVALID_ARGUMENT for bad attributes, without the node's name: the caller adds it.
  absl::StatusOr<std::unique_ptr<const Op>> (*make)(const NodeSpec& node,
                                                    absl::Span<const TensorView> constants);
};

absl::Span<const OpEntry> AllOps();

/// The entry that covers this opset, or, when none does, the operator's newest. Null when we do not
/// have the operator at all. "ai.onnx" and "" are the same domain.
const OpEntry* FindOp(absl::string_view domain, absl::string_view type, int opset);

/// The operator for a node, by domain, type and opset. UNIMPLEMENTED names the node, the operator
/// and what is missing (the operator itself, or this opset of it); INVALID_ARGUMENT for attributes
/// and input counts.
absl::StatusOr<std::unique_ptr<const Op>> MakeOp(const NodeSpec& node, int outputs,
                                                 absl::Span<const TensorView> constants,
                                                 absl::Span<const bool> inputs_present);

}  // namespace sigserve
