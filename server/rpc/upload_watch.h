// Ends uploads that bring nothing any more, so that a client that has gone quiet does not keep its
// share of the training budget, and all of them when the server stops. One thread looks at them now
// and then. Thread-safe.
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
  /// When it last brought something, on Clock::Monotonic; infinite while that is being dealt with.
  virtual absl::Duration last_heard() const = 0;
  /// Ends it with this error, unless it is ending already. Must not call the watch.
  virtual void End(const absl::Status& error) = 0;
};

class UploadWatch {
 public:
  /// `clock` must outlive it. An upload that brings nothing for `stall` is DEADLINE_EXCEEDED.
  UploadWatch(const Clock* clock, absl::Duration stall);
  ~UploadWatch();
  UploadWatch(const UploadWatch&) = delete;
  UploadWatch& operator=(const UploadWatch&) = delete;

  const Clock& clock() const { return *clock_; }
  void Add(const std::shared_ptr<WatchedUpload>& upload) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(const WatchedUpload* upload) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Ends those that have stalled by now.
  void Look() ABSL_LOCKS_EXCLUDED(mutex_);
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
