// One I/O thread of gRPC's engine: its completion queue, its handler, and the replies of its
// current turn. Internal to the engine.
#pragma once

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/message.h"
#include "server/transport/connections.h"
#include "server/transport/grpc/raw_service.h"
#include "server/transport/transport.h"
#include "server/transport/turn.h"

namespace sigserve {

/// What a completion queue returns. Complete() runs on the I/O thread.
class CompletionTag {
 public:
  virtual void Complete(bool ok) = 0;

 protected:
  ~CompletionTag() = default;
};

/// Something with replies to write at the end of a turn.
class Flushable {
 public:
  virtual void Flush() = 0;

 protected:
  ~Flushable() = default;
};

class StreamCall;

class IoLoop {
 public:
  /// `service` and `connections` must outlive it.
  IoLoop(RawService* service, const Connections* connections,
         std::unique_ptr<grpc::ServerCompletionQueue> queue,
         std::unique_ptr<MessageHandler> handler, const TurnOptions& turn);
  ~IoLoop();

  /// Posts the first calls and starts the thread. After the server has started.
  void Start();
  /// Waits until every call is over, then ends the thread. After the server has shut down.
  void Stop();

  /// Applies to each open stream now, and to later ones when they open. Any thread.
  void EndStreams(StreamEnd end) ABSL_LOCKS_EXCLUDED(streams_mutex_);
  /// Calls and streams that have arrived and are not over. Any thread.
  int64_t open_calls() const ABSL_LOCKS_EXCLUDED(streams_mutex_);

  RawService* service() const { return service_; }
  grpc::ServerCompletionQueue* queue() const { return queue_.get(); }
  MessageHandler* handler() const { return handler_.get(); }
  bool on_own_thread() const { return std::this_thread::get_id() == thread_id_; }

  // For calls.

  /// Flushes it at the end of this turn. I/O thread only.
  void FlushLater(Flushable* flushable) { to_flush_.push_back(flushable); }
  /// Counts call objects, posted ones included: each may still use the queue. Stop() waits for
  /// zero. Any thread.
  void AddCall() { calls_.fetch_add(1, std::memory_order_relaxed); }
  void RemoveCall() { calls_.fetch_sub(1, std::memory_order_release); }
  /// A call that is not a message stream has arrived or is over. I/O thread only, so that counting
  /// needs no atomic read-modify-write.
  void CallOpened() { CountOpen(1); }
  void CallClosed() { CountOpen(-1); }
  /// A message stream has arrived; returns how it is to end. Any thread, as StreamClosed.
  StreamEnd StreamOpened(StreamCall* stream) ABSL_LOCKS_EXCLUDED(streams_mutex_);
  void StreamClosed(StreamCall* stream) ABSL_LOCKS_EXCLUDED(streams_mutex_);

 private:
  void PostCalls();
  void PostCall(MethodKind kind, int method);
  void Run();
  void FlushTurn();
  void CountOpen(int64_t change) {
    open_.store(open_.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  }

  RawService* const service_;
  const Connections* const connections_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const std::unique_ptr<MessageHandler> handler_;
  TurnPolicy turn_;
  std::vector<Flushable*> to_flush_;
  std::atomic<int64_t> calls_{0};
  std::atomic<int64_t> open_{0};
  mutable absl::Mutex streams_mutex_;
  absl::flat_hash_set<StreamCall*> streams_ ABSL_GUARDED_BY(streams_mutex_);
  StreamEnd stream_end_ ABSL_GUARDED_BY(streams_mutex_) = StreamEnd::kNone;
  std::thread thread_;
  std::thread::id thread_id_;
};

}  // namespace sigserve
