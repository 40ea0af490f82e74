#include "server/batching/drain_batcher.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

int64_t BytesOf(const TensorView& view) {
  return view.elements() * static_cast<int64_t>(SizeOf(view.dtype()));
}

int64_t InputBytes(const Task& task) {
  int64_t bytes = 0;
  for (const TensorView& input : task.inputs) bytes += BytesOf(input);
  return bytes;
}

/// Whether the tasks' inputs can be stacked: the same sizes but for dimension 0, which all share.
bool SameRows(const Task& a, const Task& b) {
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    const absl::Span<const int64_t> x = a.inputs[i].shape().dims();
    const absl::Span<const int64_t> y = b.inputs[i].shape().dims();
    if (x.empty() || y.empty() || x.subspan(1) != y.subspan(1)) return false;
    if (x[0] != a.rows || y[0] != b.rows) return false;
  }
  return a.inputs.size() == b.inputs.size();
}

/// `rows` rows of a view, from row `first`.
TensorView Rows(const TensorView& view, int64_t first, int64_t rows) {
  if (!view.present()) return view;
  Shape shape = view.shape();
  const int64_t row_bytes = BytesOf(view) / shape[0];
  shape.set(0, rows);
  return {view.dtype(), std::move(shape),
          static_cast<const char*>(view.data()) + first * row_bytes};
}

/// One task's rows of a batch's results.
class RowRange final : public TaskOutputs {
 public:
  RowRange(const TaskOutputs& all, int64_t first, int64_t rows)
      : all_(all), first_(first), rows_(rows) {}
  TensorView output(int i) const override { return Rows(all_.output(i), first_, rows_); }
  TensorView logits(int i) const override { return Rows(all_.logits(i), first_, rows_); }

 private:
  const TaskOutputs& all_;
  const int64_t first_;
  const int64_t rows_;
};

bool HasRows(const TensorView& view, int64_t rows) {
  return view.shape().rank() > 0 && view.shape()[0] == rows;
}

/// Whether every result can be cut by rows. It always can where the signature tells the truth.
bool CanCut(const TaskOutputs& outputs, int count, int64_t rows) {
  for (int i = 0; i < count; ++i) {
    if (!HasRows(outputs.output(i), rows)) return false;
    const TensorView logits = outputs.logits(i);
    if (logits.present() && !HasRows(logits, rows)) return false;
  }
  return true;
}

}  // namespace

absl::string_view Name(DispatchReason reason) {
  switch (reason) {
    case DispatchReason::kDrained:
      return "drained";
    case DispatchReason::kFull:
      return "full";
    case DispatchReason::kSplit:
      return "split";
  }
  return "unknown";
}

DrainBatcher::DrainBatcher(DrainBatcherOptions options, const Clock* clock, BatchObserver observer)
    : options_(options), clock_(clock), observer_(std::move(observer)) {}

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
  DropDead(group.tasks);
  const absl::Span<Task> tasks = absl::MakeSpan(group.tasks);
  const BatchTarget& target = *group.target;
  for (size_t begin = 0; begin < tasks.size();) {
    size_t end = begin + 1;
    bool full = false;
    int64_t rows = tasks[begin].rows;
    int64_t bytes = InputBytes(tasks[begin]);
    for (; target.batchable && end < tasks.size(); ++end) {
      if (!SameRows(tasks[begin], tasks[end])) break;
      rows += tasks[end].rows;
      bytes += InputBytes(tasks[end]);
      full = rows > options_.max_rows || bytes > options_.max_bytes;
      if (full) break;
    }
    RunTogether(target, tasks.subspan(begin, end - begin),
                full ? DispatchReason::kFull : DispatchReason::kDrained);
    begin = end;
  }
}

void DrainBatcher::DropDead(std::vector<Task>& tasks) const {
  const absl::Duration now = clock_->Monotonic();
  const auto is_dead = [now](Task& task) {
    if (task.cancelled && task.cancelled()) {
      task.done(absl::CancelledError("the caller has gone; not run"), nullptr, {});
      return true;
    }
    if (now < task.deadline) return false;
    task.done(absl::DeadlineExceededError(absl::StrCat("the deadline passed ",
                                                       absl::FormatDuration(now - task.deadline),
                                                       " before the request could run")),
              nullptr, {});
    return true;
  };
  tasks.erase(std::remove_if(tasks.begin(), tasks.end(), is_dead), tasks.end());
}

void DrainBatcher::RunTogether(const BatchTarget& target, absl::Span<Task> tasks,
                               DispatchReason reason) {
  if (tasks.size() == 1) return RunAlone(target, tasks[0], reason);
  TaskTiming timing;
  for (const Task& task : tasks) timing.batch_rows += task.rows;
  const absl::Duration start = clock_->Monotonic();
  const absl::StatusOr<std::unique_ptr<const TaskOutputs>> outputs =
      target.run(Concatenate(tasks, timing.batch_rows));
  timing.computed = clock_->Monotonic() - start;
  Observe(target, reason);
  if (!outputs.ok() || !CanCut(**outputs, target.outputs, timing.batch_rows)) {
    for (Task& task : tasks) RunAlone(target, task, DispatchReason::kSplit);
    return;
  }
  int64_t first = 0;
  for (Task& task : tasks) {
    timing.queued = start - task.arrival;
    const RowRange range(**outputs, first, task.rows);
    first += task.rows;
    task.done(absl::OkStatus(), &range, timing);
  }
}

void DrainBatcher::RunAlone(const BatchTarget& target, Task& task, DispatchReason reason) {
  TaskTiming timing;
  const absl::Duration start = clock_->Monotonic();
  const absl::StatusOr<std::unique_ptr<const TaskOutputs>> outputs = target.run(task.inputs);
  timing.computed = clock_->Monotonic() - start;
  timing.queued = start - task.arrival;
  timing.batch_rows = task.rows;
  Observe(target, reason);
  // Nothing of the target is touched from here on: `done` may release it.
  task.done(outputs.status(), outputs.ok() ? outputs->get() : nullptr, timing);
}

std::vector<TensorView>& DrainBatcher::Concatenate(absl::Span<Task> tasks, int64_t rows) {
  const size_t inputs = tasks[0].inputs.size();
  if (joined_.size() < inputs) joined_.resize(inputs);
  joined_views_.clear();
  for (size_t i = 0; i < inputs; ++i) {
    const TensorView& first = tasks[0].inputs[i];
    const auto bytes = static_cast<size_t>(BytesOf(first) / first.shape()[0] * rows);
    if (joined_[i].size() < bytes) joined_[i] = AlignedBuffer(bytes);
    auto* to = static_cast<char*>(joined_[i].data());
    for (const Task& task : tasks) {
      const auto length = static_cast<size_t>(BytesOf(task.inputs[i]));
      std::memcpy(to, task.inputs[i].data(), length);
      to += length;
    }
    Shape shape = first.shape();
    shape.set(0, rows);
    joined_views_.emplace_back(first.dtype(), std::move(shape), joined_[i].data());
  }
  return joined_views_;
}

void DrainBatcher::Observe(const BatchTarget& target, DispatchReason reason) const {
  if (observer_) observer_(target, reason);
}

}  // namespace sigserve
