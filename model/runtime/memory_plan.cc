#include "model/runtime/memory_plan.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <utility>

#include "model/base/aligned_buffer.h"

namespace sigserve {
namespace {

constexpr int64_t kAlignment = static_cast<int64_t>(AlignedBuffer::kAlignment);

int64_t RoundedUp(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

class FreeList {
 public:
  /// Offset of `bytes` bytes.
  int64_t Take(int64_t bytes) {
    const auto fit = by_size_.lower_bound({bytes, 0});
    if (fit != by_size_.end()) {
      const auto [size, offset] = *fit;
      Erase(offset, size);
      if (size > bytes) Insert(offset + bytes, size - bytes);
      return offset;
    }
    // The last block, if it is free, grows.
    int64_t offset = end_;
    if (!by_offset_.empty()) {
      const auto last = std::prev(by_offset_.end());
      if (last->first + last->second == end_) {
        offset = last->first;
        Erase(last->first, last->second);
      }
    }
    end_ = offset + bytes;
    return offset;
  }

  void Give(int64_t offset, int64_t bytes) {
    const auto after = by_offset_.lower_bound(offset);
    if (after != by_offset_.end() && after->first == offset + bytes) {
      bytes += after->second;
      Erase(after->first, after->second);
    }
    const auto next = by_offset_.lower_bound(offset);
    if (next != by_offset_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        offset = before->first;
        bytes += before->second;
        Erase(before->first, before->second);
      }
    }
    Insert(offset, bytes);
  }

  int64_t end() const { return end_; }

 private:
  void Insert(int64_t offset, int64_t bytes) {
    by_offset_.emplace(offset, bytes);
    by_size_.emplace(bytes, offset);
  }
  void Erase(int64_t offset, int64_t bytes) {
    by_offset_.erase(offset);
    by_size_.erase({bytes, offset});
  }

  std::map<int64_t, int64_t> by_offset_;
  std::set<std::pair<int64_t, int64_t>> by_size_;
  int64_t end_ = 0;
};

}  // namespace

MemoryPlan PlanMemory(absl::Span<const Lifetime> values) {
  MemoryPlan plan;
  plan.offsets.assign(values.size(), 0);
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return values[a].first != values[b].first ? values[a].first < values[b].first
                                              : values[a].bytes > values[b].bytes;
  });
  using Expiry = std::pair<int, size_t>;  // last step, value
  std::priority_queue<Expiry, std::vector<Expiry>, std::greater<>> alive;
  FreeList free;
  for (const size_t i : order) {
    if (values[i].bytes == 0) continue;
    while (!alive.empty() && alive.top().first < values[i].first) {
      const size_t expired = alive.top().second;
      alive.pop();
      free.Give(plan.offsets[expired], RoundedUp(values[expired].bytes));
    }
    plan.offsets[i] = free.Take(RoundedUp(values[i].bytes));
    alive.emplace(values[i].last, i);
  }
  plan.total_bytes = free.end();
  return plan;
}

}  // namespace sigserve
