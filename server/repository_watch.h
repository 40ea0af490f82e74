// Keeps the registry in line with the repository on a thread of its own: at intervals, and when
// asked. Thread-safe.
#pragma once

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/registry/model_registry.h"

namespace sigserve {

class RepositoryWatch {
 public:
  /// `interval`: zero = only when asked. `registry` must outlive the watch.
  RepositoryWatch(ModelRegistry* registry, absl::Duration interval);
  /// Waits for a reload that is running.
  ~RepositoryWatch();
  RepositoryWatch(const RepositoryWatch&) = delete;
  RepositoryWatch& operator=(const RepositoryWatch&) = delete;

  /// Reloads soon; requests that come while one waits are merged. Errors are logged.
  void ReloadSoon() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Starts no further reload.
  void RequestStop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsWoken() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || requested_; }

  ModelRegistry* const registry_;
  const absl::Duration interval_;
  absl::Mutex mutex_;
  bool requested_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace sigserve
