#include "server/batching/cost_model.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace sigserve {
namespace {

// The first batches of a size are often slow (cold caches, memory taken): the best of them counts.
constexpr int kFirstBatches = 3;
// A size's time is the average of about this many batches.
constexpr int kAveraged = 16;
// A batch that took more than this many times the average counts as exactly that.
constexpr float kOutlier = 4;
// After this many batches of other sizes, a size that did not occur has half its weight.
constexpr double kHalfLife = 256;
// Once a size is known, the line is fitted again after every this many batches.
constexpr int kFitEvery = 8;
constexpr float kLeastNs = 1;
// How fast the stretch follows, and where it is held.
constexpr double kStretchWeight = 1.0 / 16;
constexpr double kLeastStretch = 0.5;
constexpr double kMostStretch = 8;

}  // namespace

int64_t CostCurve::RowsWithin(absl::Duration time) const {
  const double left = absl::ToDoubleNanoseconds(time) - static_cast<double>(batch_ns);
  if (left < static_cast<double>(row_ns)) return 0;
  constexpr double kMost = 1e15;
  return static_cast<int64_t>(std::min(kMost, left / std::max(1e-6, static_cast<double>(row_ns))));
}

void CostModel::Observe(int64_t rows, absl::Duration took) {
  if (rows < 1 || busy_.test_and_set(std::memory_order_acquire)) return;
  const auto at = static_cast<size_t>(
      std::min<int>(kSizes - 1, std::bit_width(static_cast<uint64_t>(rows)) - 1));
  Size& size = sizes_[at];
  const auto r = static_cast<float>(rows);
  const float ns = std::max(kLeastNs, static_cast<float>(absl::ToDoubleNanoseconds(took)));
  if (size.count < kFirstBatches) {
    if (size.count == 0 || ns / r < size.ns / size.rows) {
      size.rows = r;
      size.ns = ns;
    }
  } else {
    const float weight = 1.0F / static_cast<float>(std::min(size.count, kAveraged));
    size.ns += weight * (std::min(ns, kOutlier * size.ns) - size.ns);
    size.rows += weight * (r - size.rows);
  }
  if (size.count < std::numeric_limits<int32_t>::max()) ++size.count;
  size.last_seen = ++observed_;
  if (size.count <= kAveraged || observed_ % kFitEvery == 0) {
    curve_.store(Fit(), std::memory_order_relaxed);
  }
  busy_.clear(std::memory_order_release);
}

void CostModel::ObserveStretch(double ratio) {
  const double before = stretch();
  const double held = std::clamp(ratio, kLeastStretch, kMostStretch);
  stretch_.store(before + kStretchWeight * (held - before), std::memory_order_relaxed);
}

CostCurve CostModel::Fit() const {
  // Weighted least squares; an error counts relative to the time, or large batches would be all
  // that matters.
  double w = 0, wr = 0, wt = 0, wrr = 0, wrt = 0;
  int known = 0;
  for (const Size& size : sizes_) {
    if (size.count == 0) continue;
    ++known;
    const double r = size.rows;
    const double t = size.ns;
    const double age = static_cast<double>(observed_ - size.last_seen) / kHalfLife;
    const double weight = std::min(size.count, kAveraged) / (1 + age) / (t * t);
    w += weight;
    wr += weight * r;
    wt += weight * t;
    wrr += weight * r * r;
    wrt += weight * r * t;
  }
  // One size alone does not tell a from b.
  if (known == 1) {
    return {static_cast<float>(wt / w / 2), static_cast<float>(wt / wr / 2)};
  }
  const double slope = (w * wrt - wr * wt) / std::max(1e-300, w * wrr - wr * wr);
  const double offset = (wt - slope * wr) / w;
  if (slope < 0) return {static_cast<float>(wt / w), 0};
  if (offset < 0) return {0, static_cast<float>(wrt / wrr)};
  return {static_cast<float>(offset), static_cast<float>(slope)};
}

}  // namespace sigserve
