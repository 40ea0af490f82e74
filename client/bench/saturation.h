// The search for the highest rate that a server keeps up with. Pure: measuring is the caller's.
#pragma once

#include <functional>

#include "absl/status/statusor.h"

namespace sigserve::bench {

struct SaturationOptions {
  double first_rate = 1000;  // calls/s
  double max_rate = 4e6;
  /// The answer is this near to the true one, as a share of it.
  double precision = 0.05;
};

/// Doubles the rate from `first_rate` until `keeps_up(rate)` is false, then halves the gap. Returns
/// the highest rate that was kept up with; 0 if even the first was too much. An error of `keeps_up`
/// ends the search and is returned.
absl::StatusOr<double> FindSaturation(const SaturationOptions& options,
                                      const std::function<absl::StatusOr<bool>(double)>& keeps_up);

}  // namespace sigserve::bench
