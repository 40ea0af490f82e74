// One large task run in parts: each part is a task of its own over some of the rows, and when the
// last one has ended the whole is, with the rows of all in their places. The first error of a part
// is the whole's; parts that have not started by then count as cancelled.
//
// Thread-safe: parts may end on any threads, at the same time. It lives as long as its parts.
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/batching/task.h"

namespace sigserve {

class SplitTask final : public std::enable_shared_from_this<SplitTask> {
 public:
  /// `outputs`: how many the model has.
  static std::shared_ptr<SplitTask> Create(Task whole, int outputs);
  ~SplitTask();

  /// A task for these rows. Every row must be in one part, or dropped.
  Task Part(int64_t first, int64_t rows);
  /// These rows will not run. May end the whole.
  void Drop(int64_t rows, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  const Task& whole() const { return whole_; }
  /// Whether a part has failed.
  bool failed() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Results;

  SplitTask(Task whole, int outputs);
  void PartDone(int64_t first, int64_t rows, const absl::Status& status, const TaskOutputs* outputs,
                const TaskTiming& timing) ABSL_LOCKS_EXCLUDED(mutex_);
  /// The first part's results say what the others' look like.
  absl::Status Prepare(const TaskOutputs& part, int64_t rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(int64_t rows, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  Task whole_;
  const int outputs_;
  mutable absl::Mutex mutex_;
  int64_t rows_left_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  TaskTiming timing_ ABSL_GUARDED_BY(mutex_);
  // Made under the lock; then parts write their rows, and no others, without it.
  std::unique_ptr<Results> results_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sigserve
