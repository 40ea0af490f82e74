// A point in time on a monotonic clock (Clock::Monotonic), which starts anywhere and never goes
// back. The difference of two points is an absl::Duration; a point is not, so that neither can be
// passed for the other. As cheap as an absl::Duration.
#pragma once

#include "absl/time/time.h"

namespace sigserve {

class MonotonicTime {
 public:
  /// The clock's start.
  constexpr MonotonicTime() = default;
  static constexpr MonotonicTime AfterStart(absl::Duration time) { return MonotonicTime(time); }
  static constexpr MonotonicTime InfiniteFuture() {
    return MonotonicTime(absl::InfiniteDuration());
  }
  static constexpr MonotonicTime InfinitePast() { return MonotonicTime(-absl::InfiniteDuration()); }

  constexpr absl::Duration since_start() const { return since_start_; }

  MonotonicTime& operator+=(absl::Duration by) {
    since_start_ += by;
    return *this;
  }
  friend MonotonicTime operator+(MonotonicTime time, absl::Duration by) { return time += by; }
  friend MonotonicTime operator-(MonotonicTime time, absl::Duration by) { return time += -by; }
  friend absl::Duration operator-(MonotonicTime a, MonotonicTime b) {
    return a.since_start_ - b.since_start_;
  }
  friend constexpr bool operator==(MonotonicTime a, MonotonicTime b) {
    return a.since_start_ == b.since_start_;
  }
  friend constexpr bool operator<(MonotonicTime a, MonotonicTime b) {
    return a.since_start_ < b.since_start_;
  }
  friend constexpr bool operator>(MonotonicTime a, MonotonicTime b) { return b < a; }
  friend constexpr bool operator<=(MonotonicTime a, MonotonicTime b) { return !(b < a); }
  friend constexpr bool operator>=(MonotonicTime a, MonotonicTime b) { return !(a < b); }

 private:
  explicit constexpr MonotonicTime(absl::Duration since_start) : since_start_(since_start) {}

  absl::Duration since_start_;
};

}  // namespace sigserve
