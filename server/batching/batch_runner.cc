#include "server/batching/batch_runner.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "server/batching/row_views.h"

namespace sigserve {

absl::string_view Name(DispatchReason reason) {
  switch (reason) {
    case DispatchReason::kDrained:
      return "drained";
    case DispatchReason::kWorkerFree:
      return "worker_free";
    case DispatchReason::kFull:
      return "full";
    case DispatchReason::kDeadline:
      return "deadline";
    case DispatchReason::kSplit:
      return "split";
    case DispatchReason::kRetry:
      return "retry";
  }
  return "unknown";
}

BatchRunner::BatchRunner(const Clock* clock, const Clock* cost_clock, BatchObserver observer)
    : clock_(clock), cost_clock_(cost_clock), observer_(std::move(observer)) {}

void BatchRunner::Run(const BatchTarget& target, absl::Span<Task> tasks, DispatchReason reason,
                      absl::FunctionRef<void()> computed) {
  if (tasks.size() == 1) return RunAlone(target, tasks[0], reason, computed);
  TaskTiming timing;
  for (const Task& task : tasks) timing.batch_rows += task.rows;
  MonotonicTime start;
  const Outputs outputs = Compute(
      target, [&] { return Concatenate(tasks, timing.batch_rows); }, reason, &start, &timing);
  computed();
  if (!outputs.ok() || !HasRows(**outputs, target.outputs, timing.batch_rows)) {
    for (Task& task : tasks) {
      const absl::Status alive = CheckAlive(task, clock_->Monotonic());
      if (alive.ok()) {
        RunAlone(target, task, DispatchReason::kRetry, [] {});
      } else {
        task.done(alive, nullptr, {});
      }
    }
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

void BatchRunner::RunAlone(const BatchTarget& target, Task& task, DispatchReason reason,
                           absl::FunctionRef<void()> computed) {
  TaskTiming timing;
  timing.batch_rows = task.rows;
  MonotonicTime start;
  const Outputs outputs = Compute(
      target, [&] { return Aligned(task); }, reason, &start, &timing);
  timing.queued = start - task.arrival;
  computed();
  // Nothing of the target is touched from here on: `done` may release it.
  task.done(outputs.status(), outputs.ok() ? outputs->get() : nullptr, timing);
}

BatchRunner::Outputs BatchRunner::Compute(const BatchTarget& target,
                                          absl::FunctionRef<absl::Span<const TensorView>()> inputs,
                                          DispatchReason reason, MonotonicTime* start,
                                          TaskTiming* timing) {
  const bool own_clock = cost_clock_ != clock_;
  *start = clock_->Monotonic();
  const MonotonicTime cost_start = own_clock ? cost_clock_->Monotonic() : *start;
  Outputs outputs = [&]() -> Outputs {
    try {
      return target.run(inputs());
    } catch (const std::bad_alloc&) {  // one request must not end the process
      return absl::ResourceExhaustedError("no memory left to run the request");
    }
  }();
  const MonotonicTime end = clock_->Monotonic();
  timing->computed = end - *start;
  if (outputs.ok()) {
    target.cost->Observe(timing->batch_rows,
                         own_clock ? cost_clock_->Monotonic() - cost_start : timing->computed);
  }
  if (observer_) observer_(target, reason);
  return outputs;
}

absl::Span<const TensorView> BatchRunner::Concatenate(absl::Span<Task> tasks, int64_t rows) {
  joined_views_.clear();
  for (size_t i = 0; i < tasks[0].inputs.size(); ++i) {
    const TensorView& first = tasks[0].inputs[i];
    const auto bytes = static_cast<size_t>(BytesOf(first) / first.shape()[0] * rows);
    auto* to = static_cast<char*>(Room(i, bytes));
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

absl::Span<const TensorView> BatchRunner::Aligned(const Task& task) {
  const auto aligned = [](const TensorView& view) {
    return reinterpret_cast<uintptr_t>(view.data()) % SizeOf(view.dtype()) == 0;
  };
  if (std::all_of(task.inputs.begin(), task.inputs.end(), aligned)) return task.inputs;
  joined_views_.assign(task.inputs.begin(), task.inputs.end());
  for (size_t i = 0; i < joined_views_.size(); ++i) {
    TensorView& view = joined_views_[i];
    if (aligned(view)) continue;
    const auto bytes = static_cast<size_t>(BytesOf(view));
    void* const to = Room(i, bytes);
    std::memcpy(to, view.data(), bytes);
    view.set_data(to);
  }
  return joined_views_;
}

void* BatchRunner::Room(size_t input, size_t bytes) {
  if (joined_.size() <= input) joined_.resize(input + 1);
  AlignedBuffer& buffer = joined_[input];
  if (buffer.size() < bytes || buffer.size() > std::max(bytes, kMaxKept)) {
    buffer = AlignedBuffer(bytes);
  }
  return joined_[input].data();
}

}  // namespace sigserve
