#include "client/bench/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sigserve::bench {
namespace {

// Below 2^kLinearBits every value has a bucket; above, each power of two has half as many.
constexpr int kLinearBits = 8;
constexpr int kMaxBits = 42;
constexpr size_t kHalf = size_t{1} << (kLinearBits - 1);
constexpr size_t kBuckets = kHalf * (kMaxBits - kLinearBits + 2);
constexpr int64_t kLargest = (int64_t{1} << kMaxBits) - 1;

}  // namespace

LatencyHistogram::LatencyHistogram() : buckets_(kBuckets) {}

size_t LatencyHistogram::BucketOf(int64_t ns) {
  const auto value = static_cast<uint64_t>(ns);
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kLinearBits);
  return kHalf * static_cast<size_t>(shift) + static_cast<size_t>(value >> shift);
}

int64_t LatencyHistogram::MiddleOf(size_t bucket) {
  if (bucket < 2 * kHalf) return static_cast<int64_t>(bucket);
  const size_t shift = bucket / kHalf - 1;
  const size_t mantissa = bucket - kHalf * shift;
  return static_cast<int64_t>((mantissa << shift) + ((size_t{1} << shift) >> 1));
}

void LatencyHistogram::Record(int64_t ns) {
  ns = std::clamp<int64_t>(ns, 0, kLargest);
  ++buckets_[BucketOf(ns)];
  ++count_;
  max_ = std::max(max_, ns);
  sum_ += static_cast<double>(ns);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

double LatencyHistogram::mean() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

int64_t LatencyHistogram::Quantile(double quantile) const {
  const auto rank =
      std::max<int64_t>(1, static_cast<int64_t>(std::ceil(quantile * static_cast<double>(count_))));
  int64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(MiddleOf(i), max_);
  }
  return max_;
}

}  // namespace sigserve::bench
