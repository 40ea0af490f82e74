// Where each intermediate value lives in one block of scratch memory, so that values whose
// lifetimes do not meet share bytes. Pure. O(n log n) in the number of values.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace sigserve {

/// A value that must hold its bytes from step `first` (which writes it) to step `last` (the last
/// that reads it), both included. first <= last.
struct Lifetime {
  int first = 0;
  int last = 0;
  int64_t bytes = 0;
};

struct MemoryPlan {
  /// By value, in bytes; multiples of AlignedBuffer::kAlignment. Empty values have offset 0.
  std::vector<int64_t> offsets;
  int64_t total_bytes = 0;
};

/// Best fit: each value takes the smallest free block that holds it, else the end grows.
MemoryPlan PlanMemory(absl::Span<const Lifetime> values);

}  // namespace sigserve
