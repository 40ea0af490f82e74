// Ends uploads that stop sending data, so that a silent client does not keep its part of the
// training budget; and ends all of them when the server stops. One thread checks them at intervals.
// Thread-safe.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "model/base/clock.h"

namespace sigserve {

/// An upload as the watch sees it. Any thread.
class WatchedUpload {
 public:
  virtual ~WatchedUpload() = default;
  /// When data last arrived, on Clock::Monotonic; infinite while it is being processed.
  virtual MonotonicTime last_heard() const = 0;
  /// Ends the upload with this error, unless it is ending already. Must not call the watch.
  virtual void End(const absl::Status& error) = 0;
};

class UploadWatch {
 public:
  /// `clock` must outlive it. An upload that sends nothing for `stall` ends with DEADLINE_EXCEEDED.
  UploadWatch(const Clock* clock, absl::Duration stall);
  ~UploadWatch();
  UploadWatch(const UploadWatch&) = delete;
  UploadWatch& operator=(const UploadWatch&) = delete;

  const Clock& clock() const { return *clock_; }
  void Add(const std::shared_ptr<WatchedUpload>& upload) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const WatchedUpload* upload) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Ends the uploads that have stalled. The watch's thread calls it; tests may, too.
  void CheckStalled() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndAll(const absl::Status& error) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::vector<std::shared_ptr<WatchedUpload>> Uploads() const ABSL_LOCKS_EXCLUDED(mutex_);

  const Clock* const clock_;
  const absl::Duration stall_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<const WatchedUpload*, std::weak_ptr<WatchedUpload>> uploads_
      ABSL_GUARDED_BY(mutex_);
  absl::Notification stop_;
  std::thread thread_;
};

}  // namespace sigserve
