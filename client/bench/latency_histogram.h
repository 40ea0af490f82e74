// Latencies by the million in fixed memory: log-linear buckets, as in HdrHistogram. Values are
// nanoseconds from 0 to 2^42 (73 minutes; larger ones count as that), kept to within 1/128 (0.8 %).
// Not thread-safe; histograms of several threads are merged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sigserve::bench {

class LatencyHistogram {
 public:
  LatencyHistogram();

  void Record(int64_t ns);
  void Merge(const LatencyHistogram& other);

  int64_t count() const { return count_; }
  /// Exact; 0 if nothing was recorded, like all that follow.
  int64_t max() const { return max_; }
  double mean() const;
  /// The value that a share `quantile` (0 to 1) of all values do not exceed: the middle of its
  /// bucket, at most max().
  int64_t Quantile(double quantile) const;

 private:
  static size_t BucketOf(int64_t ns);
  static int64_t MiddleOf(size_t bucket);

  std::vector<int64_t> buckets_;
  int64_t count_ = 0;
  int64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace sigserve::bench
