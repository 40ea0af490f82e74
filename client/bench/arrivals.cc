#include "client/bench/arrivals.h"

namespace sigserve::bench {

Arrivals::Arrivals(double per_second, int64_t start_ns, uint64_t seed)
    : random_(seed), gap_ns_(per_second * 1e-9), due_ns_(static_cast<double>(start_ns)) {
  Advance();
}

void Arrivals::Advance() { due_ns_ += gap_ns_(random_); }

}  // namespace sigserve::bench
