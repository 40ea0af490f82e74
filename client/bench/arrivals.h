// When calls are due. Open loop: at a rate, spread as independent callers are (exponential gaps
// from a seed), whatever became of the calls before; a late call keeps its due time, so that its
// wait counts (no coordinated omission). Times are nanoseconds on any clock. Not thread-safe.
#pragma once

#include <cstdint>
#include <random>

namespace sigserve::bench {

class Arrivals {
 public:
  /// `per_second` > 0.
  Arrivals(double per_second, int64_t start_ns, uint64_t seed);

  /// When the next call is due.
  int64_t due_ns() const { return static_cast<int64_t>(due_ns_); }
  /// The next call was taken; on to the one after it.
  void Advance();

 private:
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_ns_;
  double due_ns_;
};

}  // namespace sigserve::bench
