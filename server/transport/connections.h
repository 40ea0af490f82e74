// The connections of one listener, for corking and for the connection cap: while a connection is
// corked (TCP_CORK), the answers written to it leave together. Holds a duplicate of each socket's
// descriptor, because gRPC owns the original and closes it when it likes; Sweep() finds the dead
// ones. Thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sigserve {

/// A duplicate of a connection's descriptor; closes it at the end.
class ConnectionHandle {
 public:
  explicit ConnectionHandle(int fd) : fd_(fd) {}
  ~ConnectionHandle();
  ConnectionHandle(const ConnectionHandle&) = delete;
  ConnectionHandle& operator=(const ConnectionHandle&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

class Connections {
 public:
  using Snapshot = std::shared_ptr<const std::vector<std::shared_ptr<const ConnectionHandle>>>;

  /// Remembers a connection. False when its descriptor cannot be duplicated: it then works, but is
  /// not corked.
  bool Add(int fd) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Forgets the connections that were closed.
  void Sweep() ABSL_LOCKS_EXCLUDED(mutex_);
  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);
  /// Those alive now; their descriptors stay open as long as the snapshot is held.
  Snapshot snapshot() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  Snapshot alive_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const std::vector<std::shared_ptr<const ConnectionHandle>>>();
};

/// Corks while it lives, if that can pay: `replies` answers are about to be written by the calling
/// thread.
class CorkScope {
 public:
  CorkScope(const Connections& connections, size_t replies);
  ~CorkScope();
  CorkScope(const CorkScope&) = delete;
  CorkScope& operator=(const CorkScope&) = delete;

 private:
  Connections::Snapshot corked_;  // null when not corking
};

}  // namespace sigserve
