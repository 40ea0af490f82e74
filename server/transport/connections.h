// The open connections of one listener, for the connection limit and for corking: while a
// connection is corked (TCP_CORK), replies written to it leave in one packet. Holds a duplicate of
// each socket's descriptor, because the engine owns the original and may close it at any time;
// Sweep() drops closed ones. Thread-safe.
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace sigserve {

/// Owns a duplicate of a connection's descriptor.
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

  /// Adds a connection. False if its descriptor cannot be duplicated.
  bool Add(int fd) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Drops connections that are closed.
  void Sweep() ABSL_LOCKS_EXCLUDED(mutex_);
  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);
  /// The current connections. Their descriptors stay open while the snapshot lives.
  Snapshot snapshot() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  Snapshot alive_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const std::vector<std::shared_ptr<const ConnectionHandle>>>();
};

/// Corks the connections while it lives, unless that would cost more than it saves. The calling
/// thread is about to write `replies` replies.
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
