#include "server/batching/task.h"

#include "absl/strings/str_cat.h"

namespace sigserve {

absl::Status CheckAlive(const Task& task, MonotonicTime now) {
  if (task.cancelled && task.cancelled()) {
    return absl::CancelledError("the caller has gone; not run");
  }
  if (now < task.deadline) return absl::OkStatus();
  return absl::DeadlineExceededError(absl::StrCat("the deadline passed ",
                                                  absl::FormatDuration(now - task.deadline),
                                                  " before the request could run"));
}

}  // namespace sigserve
