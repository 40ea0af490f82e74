#include "client/bench/saturation.h"

#include <algorithm>
#include <cmath>

#include "client/status_macros.h"

namespace sigserve::bench {

absl::StatusOr<double> FindSaturation(const SaturationOptions& options,
                                      const std::function<absl::StatusOr<bool>(double)>& keeps_up) {
  double good = 0;
  double bad = 0;
  for (double rate = options.first_rate; bad == 0 && good < options.max_rate;
       rate = std::min(2 * rate, options.max_rate)) {
    CLIENT_ASSIGN_OR_RETURN(const bool kept_up, keeps_up(rate));
    (kept_up ? good : bad) = rate;
  }
  while (good > 0 && bad > good * (1 + options.precision)) {
    const double rate = std::sqrt(good * bad);
    CLIENT_ASSIGN_OR_RETURN(const bool kept_up, keeps_up(rate));
    (kept_up ? good : bad) = rate;
  }
  return good;
}

}  // namespace sigserve::bench
