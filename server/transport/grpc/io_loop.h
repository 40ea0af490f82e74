// One I/O thread of the transport: its completion queue, its handler, and the replies of its
// current turn. Internal to the transport.
#pragma once

#include <grpcpp/completion_queue.h>
#include <grpcpp/support/slice.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "model/base/clock.h"
#include "model/base/thread_clock.h"
#include "server/rpc/message.h"
#include "server/transport/connections.h"
#include "server/transport/cpu_budget.h"
#include "server/transport/grpc/raw_service.h"
#include "server/transport/spin_policy.h"

namespace sigserve {

/// What a completion queue gives back. Complete() runs on the I/O thread.
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

/// A message's bytes, as pieces that stay alive with it.
class MessageBytes {
 public:
  /// Takes the buffer's contents, without copying them.
  void Take(grpc::ByteBuffer* buffer);
  absl::Span<const absl::string_view> pieces() const { return views_; }
  void Clear() {
    slices_.clear();
    views_.clear();
  }

 private:
  std::vector<grpc::Slice> slices_;
  std::vector<absl::string_view> views_;
};

class StreamCall;

/// What becomes of streams while the server stops.
enum class StreamEnd {
  kNone,      // they go on as long as they like
  kWhenIdle,  // those end that are answered and have brought nothing since they were last looked at
  kNow,       // no more messages are read; those read are answered
};

struct IoLoopOptions {
  /// How long a turn's thread keeps polling before it sleeps, while calls keep coming; zero =
  /// never.
  absl::Duration spin = absl::ZeroDuration();
  /// Says whether others can use the processor, so that polling would take it from them. Called
  /// before each turn and each spin; empty = never.
  std::function<bool()> processor_is_wanted = {};
  /// Of its time, what the thread takes at most while they can; 1 or more = all.
  double share_when_wanted = 1;
};

class IoLoop {
 public:
  IoLoop(RawService* service, const Connections* connections,
         std::unique_ptr<grpc::ServerCompletionQueue> queue,
         std::unique_ptr<MessageHandler> handler, IoLoopOptions options);
  ~IoLoop();

  /// Posts the first calls and starts the thread. After the server has started.
  void Start();
  /// Waits until every call is over, then ends the thread. After the server has shut down.
  void Stop();

  /// Looks at each stream: it ends like this, or goes on. Those that come later are looked at when
  /// they come. Any thread.
  void EndStreams(StreamEnd end) ABSL_LOCKS_EXCLUDED(streams_mutex_);
  /// Unary calls and streams that are not over. Any thread.
  int64_t open_calls() const ABSL_LOCKS_EXCLUDED(streams_mutex_);

  RawService* service() const { return service_; }
  grpc::ServerCompletionQueue* queue() const { return queue_.get(); }
  MessageHandler* handler() const { return handler_.get(); }
  bool on_own_thread() const { return std::this_thread::get_id() == thread_id_; }

  /// I/O thread only: flushes it at the end of this turn.
  void FlushLater(Flushable* flushable) { to_flush_.push_back(flushable); }
  /// Calls, posted ones included: each may still use the queue. Stop() waits for zero.
  void CallBegins() { calls_.fetch_add(1, std::memory_order_relaxed); }
  void CallEnds() { calls_.fetch_sub(1, std::memory_order_release); }
  /// A unary call came, or is over; I/O thread only, so that counting costs nothing.
  void UnaryOpens() { CountUnary(1); }
  void UnaryIsOver() { CountUnary(-1); }
  /// A stream came, and how it is to end; or it is over. Any thread.
  StreamEnd StreamOpens(StreamCall* stream) ABSL_LOCKS_EXCLUDED(streams_mutex_);
  void StreamIsOver(StreamCall* stream) ABSL_LOCKS_EXCLUDED(streams_mutex_);

 private:
  void PostCall(MethodKind kind, int method);
  void Run();
  bool WaitForEvent(void** tag, bool* ok);
  /// Polls until there is an event or the spin is over; no event otherwise.
  grpc::CompletionQueue::NextStatus Spin(void** tag, bool* ok);
  void CountUnary(int64_t change) {
    open_unary_.store(open_unary_.load(std::memory_order_relaxed) + change,
                      std::memory_order_relaxed);
  }
  void BeginTurn();
  void FlushTurn();
  bool ProcessorIsWanted() const {
    return options_.processor_is_wanted && options_.processor_is_wanted();
  }

  RawService* const service_;
  const Connections* const connections_;
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const std::unique_ptr<MessageHandler> handler_;
  const IoLoopOptions options_;
  std::vector<Flushable*> to_flush_;
  std::atomic<int64_t> calls_{0};
  std::atomic<int64_t> open_unary_{0};
  mutable absl::Mutex streams_mutex_;
  absl::flat_hash_set<StreamCall*> streams_ ABSL_GUARDED_BY(streams_mutex_);
  StreamEnd stream_end_ ABSL_GUARDED_BY(streams_mutex_) = StreamEnd::kNone;
  const RealClock clock_;
  const ThreadClock thread_clock_;
  SpinPolicy spin_;
  CpuBudget share_;
  std::thread thread_;
  std::thread::id thread_id_;
};

grpc::Status GrpcStatus(const absl::Status& status);

/// gRPC's deadline as Clock::Monotonic's time.
absl::Duration MonotonicDeadline(gpr_timespec deadline);

}  // namespace sigserve
