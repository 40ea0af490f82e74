// What happened in one job, as numbered events that any number of watchers read by offset: a slow
// watcher costs nothing and never delays the trainer. Thread-safe. Memory: about 100 bytes per
// epoch event; the job runner appends at most some 10,000 of them (RecordsEpoch).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "server/training/job.h"

namespace sigserve {

/// Which epochs of a job become events: all of them up to 10,000; of longer jobs every k-th, k =
/// epochs / 10,000 rounded up, and always the last.
bool RecordsEpoch(int64_t epoch, int64_t epochs_total);

class EventLog {
 public:
  using Listener = std::function<void()>;

  /// The first event gets `first_number`: above 1 for a job whose earlier events are no longer
  /// kept.
  explicit EventLog(int64_t first_number = 1) : first_number_(first_number) {}

  /// Appends and wakes the listeners. A status whose state has ended ends the log: nothing may
  /// follow.
  void Append(const JobStatus& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Append(const EpochMetrics& metrics) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Next {
    std::optional<JobEvent> event;
    bool ended = false;  // no event, and none will come
  };
  /// The first event whose number is above `after`.
  Next After(int64_t after) const ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t last_number() const ABSL_LOCKS_EXCLUDED(mutex_);

  /// `listener` is called after every Append, on the appending thread and under no lock. It must be
  /// quick. It may still be called once while or after Unsubscribe returns: hold what it uses
  /// weakly.
  int64_t Subscribe(Listener listener) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unsubscribe(int64_t subscription) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A status is larger than metrics and rarer, hence apart.
  struct Entry {
    EpochMetrics epoch;
    std::unique_ptr<const JobStatus> status;  // null for an epoch
  };
  void AppendEntry(Entry entry) ABSL_LOCKS_EXCLUDED(mutex_);

  const int64_t first_number_;
  mutable absl::Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t next_subscription_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::flat_hash_map<int64_t, std::shared_ptr<const Listener>> listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sigserve
