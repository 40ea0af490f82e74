// Compiling with numerics that are not exact, and making sure that they are exact enough: the same
// inputs are run as usual and in these numerics, and the outputs compared. Takes no more memory
// than either alone, a few rows and all outputs.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/runtime/executable.h"
#include "model/tensor/tensor.h"

namespace sigserve {

struct CheckedExecutable {
  std::shared_ptr<const Executable> executable;
  /// The largest change of an output. NaN where there was none, or an infinity: infinite.
  double change = 0;
  std::string output;  // where
  /// What multiplies bfloat16 on this CPU ("AMX", ...), and whether that is far slower than
  /// FLOAT32.
  const char* bf16_unit = "";
  bool bf16_is_slow = false;
};

/// `sample`: one tensor for each input, in the graph's order; empty: random rows. Compared are the
/// probabilities (outputs of a sigmoid, softmax or classifier), or all FLOAT32 and FLOAT64 outputs
/// where there are none. FAILED_PRECONDITION when one changes by more than `max_change`: names
/// both; and when there is nothing to compare, or a row is too large to be made up.
/// INVALID_ARGUMENT when the inputs do not fit the model (random ones: when it cannot run sizes
/// that we guess, and so needs a sample); else as Executable::Compile().
absl::StatusOr<CheckedExecutable> CompileChecked(const Graph& graph, const Numerics& numerics,
                                                 absl::Span<const Tensor> sample,
                                                 double max_change);

}  // namespace sigserve
