#include "server/batching/model_queue.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace sigserve {
namespace {

// The estimated time of a good batch: long enough that the cost of the batch itself is a twentieth
// of it, within these bounds. Where a single row is long, four times that but no longer than
// kLongest: others wait for one anyway, and a batch of several is the model's only chance to keep
// up.
constexpr double kWorthwhile = 21;
constexpr absl::Duration kShortBatch = absl::Milliseconds(1);
constexpr absl::Duration kLongBatch = absl::Milliseconds(20);
constexpr double kLongRows = 4;
constexpr absl::Duration kLongest = absl::Milliseconds(200);
// Until a model's cost is known.
constexpr double kUnknownRowNs = 100'000;
constexpr int64_t kUnknownRows = 32;
constexpr absl::Duration kPatience = absl::Seconds(1);

}  // namespace

double EstimateNs(const BatchTarget& target, int64_t rows) {
  const CostCurve cost = target.cost->curve();
  return cost.known() ? cost.Nanoseconds(rows) : kUnknownRowNs * static_cast<double>(rows);
}

int64_t GoodRows(const BatchTarget& target) {
  if (!target.batchable) return 1;
  const CostCurve cost = target.cost->curve();
  if (!cost.known()) return kUnknownRows;
  const absl::Duration worthwhile = absl::Nanoseconds(kWorthwhile * cost.batch_ns);
  const absl::Duration longest = std::clamp(kLongRows * cost.Of(1), kLongBatch, kLongest);
  const absl::Duration time =
      std::min(std::clamp(worthwhile, kShortBatch, longest), target.queue.latency_target / 2);
  return std::max<int64_t>(1, cost.RowsWithin(time));
}

double QueuedNs(const BatchTarget& target, int64_t rows) {
  const int64_t good = GoodRows(target);
  return EstimateNs(target, good) / static_cast<double>(good) * static_cast<double>(rows);
}

MonotonicTime DueTime(const BatchTarget& target, const Task& task) {
  return std::min({task.deadline, task.arrival + target.queue.max_wait, task.arrival + kPatience});
}

void Lane::Insert(std::unique_ptr<QueuedTask> task) {
  auto at = tasks_.end();
  const auto comes_after = [&task](const QueuedTask& other) {
    return std::tie(other.priority, other.due) > std::tie(task->priority, task->due);
  };
  while (at != tasks_.begin() && comes_after(**std::prev(at))) --at;
  waiting_ns_ += task->ns();
  tasks_.insert(at, std::move(task));
}

std::unique_ptr<QueuedTask> Lane::Remove(size_t i) {
  const auto found = tasks_.begin() + static_cast<std::ptrdiff_t>(i);
  std::unique_ptr<QueuedTask> task = std::move(*found);
  tasks_.erase(found);
  waiting_ns_ = tasks_.empty() ? 0 : waiting_ns_ - task->ns();
  return task;
}

void Lane::TakeRows(int64_t rows) {
  QueuedTask& first = *tasks_.front();
  waiting_ns_ -= first.row_ns * static_cast<double>(rows);
  first.next_row += rows;
}

double Lane::NsBefore(int priority, MonotonicTime due) const {
  double before = waiting_ns_;
  for (auto it = tasks_.rbegin();
       it != tasks_.rend() && std::tie((*it)->priority, (*it)->due) > std::tie(priority, due);
       ++it) {
    before -= (*it)->ns();
  }
  return before;
}

int Lane::LastUnsplit() const {
  int at = static_cast<int>(tasks_.size()) - 1;
  while (at >= 0 && tasks_[static_cast<size_t>(at)]->split != nullptr) --at;
  return at;
}

void Lane::NoteDelay(MonotonicTime now, absl::Duration waited, absl::Duration allowed,
                     absl::Duration interval) {
  if (waited < allowed / 2) {
    above_since_ = MonotonicTime::InfiniteFuture();
    overloaded_ = false;
  } else if (waited >= allowed) {
    above_since_ = std::min(above_since_, now);
    if (now - above_since_ >= interval) overloaded_ = true;
  }
}

Lane& ModelQueue::NextLane() {
  if (small.empty()) return large;
  if (large.empty()) return small;
  const int of_small = small.at(0).priority;
  const int of_large = large.at(0).priority;
  if (of_small != of_large) return of_large < of_small ? large : small;
  return large.used_ns < small.used_ns ? large : small;
}

}  // namespace sigserve
