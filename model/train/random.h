// Random numbers whose every bit is defined here (PCG32), so that a seed means the same weights,
// split and order with any compiler and standard library. A value: a copy continues on its own.
// Not for secrets.
#pragma once

#include <cstdint>

#include "absl/types/span.h"

namespace sigserve {

class Random {
 public:
  /// Streams of one seed are independent sequences.
  Random(uint64_t seed, uint64_t stream);

  uint32_t Next();
  /// Unbiased in [0, bound). Requires bound > 0.
  uint32_t Below(uint32_t bound);
  /// In [low, high], 24 random bits.
  float Uniform(float low, float high);
  /// Fisher-Yates. At most 2^32 - 1 items.
  void Shuffle(absl::Span<uint32_t> items);

 private:
  uint64_t state_ = 0;
  uint64_t increment_;
};

}  // namespace sigserve
