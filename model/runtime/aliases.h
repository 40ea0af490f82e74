// For the sources of this folder: which values share memory. Operators that only change a shape
// (MemoryUse::kSame) leave the elements where they are; elementwise ones overwrite an input that
// no later step reads. Decided once per executable: it holds for all shapes. Immutable;
// thread-safe.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "model/graph/program.h"

namespace sigserve {

class Aliases {
 public:
  Aliases() = default;
  /// `kept`: values that are read after the last step (kNoValue: none).
  Aliases(const Program& program, absl::Span<const ValueId> kept);

  /// The value whose memory this one uses: itself, an earlier result, a constant, or an input of
  /// the graph.
  ValueId owner(ValueId id) const { return owners_[static_cast<size_t>(id)]; }
  /// Whether a step has nothing to do: its result is its input.
  bool is_noop(size_t step) const { return noops_[step]; }

 private:
  std::vector<ValueId> owners_;
  std::vector<bool> noops_;
};

}  // namespace sigserve
