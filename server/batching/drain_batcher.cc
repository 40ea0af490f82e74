#include "server/batching/drain_batcher.h"

#include <algorithm>
#include <utility>

#include "server/batching/row_views.h"

namespace sigserve {

DrainBatcher::DrainBatcher(DrainBatcherOptions options, const Clock* clock, BatchObserver observer,
                           TaskSink* heavy)
    : options_(options), clock_(clock), heavy_(heavy), runner_(clock, clock, std::move(observer)) {}

void DrainBatcher::Add(const BatchTarget& target, Task task) {
  size_t i = 0;
  while (i < used_ && groups_[i].target != &target) ++i;
  if (i == used_) {
    ++used_;
    if (i == groups_.size()) groups_.emplace_back();
    groups_[i].target = &target;
  }
  groups_[i].tasks.push_back(std::move(task));
}

void DrainBatcher::Drain() {
  const size_t count = std::exchange(used_, 0);
  for (size_t i = 0; i < count; ++i) {
    RunGroup(groups_[i]);
    groups_[i].tasks.clear();
    groups_[i].target = nullptr;
  }
}

void DrainBatcher::RunGroup(Group& group) {
  group.tasks.resize(EndDead(absl::MakeSpan(group.tasks)).size());
  const BatchTarget& target = *group.target;
  if (heavy_ != nullptr && !group.tasks.empty()) HandOver(target, group.tasks);
  const absl::Span<Task> tasks = absl::MakeSpan(group.tasks);
  for (size_t begin = 0; begin < tasks.size();) {
    size_t end = begin + 1;
    bool full = false;
    int64_t rows = tasks[begin].rows;
    int64_t bytes = InputBytes(tasks[begin]);
    for (; target.batchable && end < tasks.size(); ++end) {
      if (!CanStack(tasks[begin], tasks[end])) break;
      rows += tasks[end].rows;
      bytes += InputBytes(tasks[end]);
      full = rows > options_.max_rows || bytes > options_.max_bytes;
      if (full) break;
    }
    absl::Span<Task> batch = tasks.subspan(begin, end - begin);
    if (begin > 0) batch = EndDead(batch);  // the batches before took their time
    if (!batch.empty()) {
      runner_.Run(target, batch, full ? DispatchReason::kFull : DispatchReason::kDrained, [] {});
    }
    begin = end;
  }
}

absl::Span<Task> DrainBatcher::EndDead(absl::Span<Task> tasks) const {
  const MonotonicTime now = clock_->Monotonic();
  const auto is_dead = [now](Task& task) {
    const absl::Status alive = CheckAlive(task, now);
    if (!alive.ok()) task.done(alive, nullptr, {});
    return !alive.ok();
  };
  return tasks.first(
      static_cast<size_t>(std::remove_if(tasks.begin(), tasks.end(), is_dead) - tasks.begin()));
}

void DrainBatcher::HandOver(const BatchTarget& target, std::vector<Task>& tasks) const {
  const CostCurve cost = target.cost->curve();
  const int64_t most = cost.known() ? cost.RowsWithin(options_.inline_time) : 0;
  // Cost is known by rows; where other sizes are open, bytes tell what rows do not.
  const auto is_small = [&](const Task& task) {
    return task.rows <= most && InputBytes(task) <= options_.max_bytes;
  };
  const bool all_small = std::all_of(tasks.begin(), tasks.end(), is_small);
  int64_t rows = 0;
  for (const Task& task : tasks) rows += task.rows;
  if (all_small && rows <= most && (target.batchable || tasks.size() == 1)) return;
  // A task that is handed over may end at once, and the target with the last one: each is asked
  // about before it goes.
  const auto pass_on = [&](Task& task) {
    if (is_small(task)) return false;
    heavy_->Add(target, std::move(task));
    return true;
  };
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(), pass_on), tasks.end());
  if (tasks.empty()) return;
  // What is left is light one by one. Together?
  rows = 0;
  for (const Task& task : tasks) rows += task.rows;
  const auto count = static_cast<int64_t>(tasks.size());
  const absl::Duration time = target.batchable ? cost.Of(rows) : count * cost.Of(1);
  if (time <= options_.inline_time) return;
  if (time <= options_.cheap_turn && time / count <= options_.cheap_task) return;
  for (Task& task : tasks) heavy_->Add(target, std::move(task));
  tasks.clear();
}

}  // namespace sigserve
