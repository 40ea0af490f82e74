// What a batch of a model costs: a + b·rows, learned from the batches that ran. Sizes are kept
// apart by powers of two, so that rare large batches count as well as many small ones; an outlier
// (a thread that lost its processor) moves an estimate little, a lasting change moves it within
// some tens of batches. Before the first batch nothing is known.
//
// Where costs are measured in processor time, what passes meanwhile is longer: its stretch.
//
// Thread-safe without locks: readers take one atomic load; a writer that meets another drops its
// measurement.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace sigserve {

/// The fitted line.
struct CostCurve {
  float batch_ns = 0;  // a
  float row_ns = 0;    // b

  /// Whether any batch was measured.
  bool known() const { return batch_ns > 0 || row_ns > 0; }
  double Nanoseconds(int64_t rows) const {
    return static_cast<double>(batch_ns) + static_cast<double>(row_ns) * static_cast<double>(rows);
  }
  absl::Duration Of(int64_t rows) const { return absl::Nanoseconds(Nanoseconds(rows)); }
  /// The most rows whose batch takes no longer; may be 0.
  int64_t RowsWithin(absl::Duration time) const;
};

class CostModel {
 public:
  /// Records that a batch of `rows` rows took `took`.
  void Observe(int64_t rows, absl::Duration took);
  CostCurve curve() const { return curve_.load(std::memory_order_relaxed); }

  /// Records that a batch took `ratio` times its estimate.
  void ObserveStretch(double ratio);
  /// How many times its estimate a batch takes: busy processors. 1 until observed.
  double stretch() const { return stretch_.load(std::memory_order_relaxed); }

 private:
  static constexpr int kSizes = 18;  // 1, 2-3, 4-7, ...; the last: 131,072 rows and more

  // Batches of one size: typical rows and time.
  struct Size {
    float rows = 0;
    float ns = 0;
    int32_t count = 0;      // saturates
    int64_t last_seen = 0;  // on observed_'s scale
  };

  CostCurve Fit() const;

  std::atomic<CostCurve> curve_{CostCurve{}};
  std::atomic<double> stretch_{1};
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
  // The members below belong to the thread that has set busy_.
  std::array<Size, kSizes> sizes_;
  int64_t observed_ = 0;
};

}  // namespace sigserve
