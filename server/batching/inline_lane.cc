#include "server/batching/inline_lane.h"

#include "absl/strings/str_cat.h"

namespace sigserve {

void InlineLane::Run(Task task) const {
  TaskTiming timing;
  if (task.cancelled && task.cancelled()) {
    task.done(absl::CancelledError("the caller has gone; not run"), nullptr, timing);
    return;
  }
  const absl::Duration start = clock_->Monotonic();
  if (start >= task.deadline) {
    task.done(absl::DeadlineExceededError(absl::StrCat("the deadline passed ",
                                                       absl::FormatDuration(start - task.deadline),
                                                       " before the request could run")),
              nullptr, timing);
    return;
  }
  const absl::StatusOr<std::unique_ptr<const TaskOutputs>> outputs = run_(task.inputs);
  timing.computed = clock_->Monotonic() - start;
  timing.batch_rows = task.rows;
  // Nothing of the lane is touched from here on: `done` may release its owner.
  task.done(outputs.status(), outputs.ok() ? outputs->get() : nullptr, timing);
}

}  // namespace sigserve
