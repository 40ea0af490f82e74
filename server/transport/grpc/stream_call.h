// One bidirectional stream of messages. Its messages go to the handler one by one and may be
// answered in any order; each reply is one message of the stream, written when it is ready, or in
// the order of the requests. The stream is read only while fewer than kMaxUnanswered messages, and
// kMaxUnansweredBytes of them, are unanswered or unwritten; HTTP/2's flow control then stops the
// client. Internal to the engine.
//
// A state machine under one lock: events change the state, Advance() starts the operations that the
// state calls for, without the lock held.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/transport/grpc/grpc_values.h"
#include "server/transport/grpc/io_loop.h"

namespace sigserve {

class StreamCall final : public Flushable {
 public:
  static constexpr size_t kMaxUnanswered = 1024;
  static constexpr size_t kMaxUnansweredBytes = size_t{4} << 20;  // or one message

  /// Waits for the next stream of a method. I/O thread, or before it starts. Owns itself.
  static void Post(IoLoop* loop, int method);

  void Flush() override ABSL_LOCKS_EXCLUDED(mutex_);
  /// The server is stopping: ends the stream with UNAVAILABLE, if `end` says so. The caller holds a
  /// reference.
  void Shutdown(StreamEnd end) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Takes a reference, unless the stream is being deleted.
  bool RefUnlessOver();
  /// Returns a reference; the last one deletes the stream.
  void Unref();

 private:
  class Message;

  // Events of the completion queue, each a method of the stream.
  class Tag final : public CompletionTag {
   public:
    Tag(StreamCall* stream, void (StreamCall::*handle)(bool)) : stream_(stream), handle_(handle) {}
    void Complete(bool ok) override { (stream_->*handle_)(ok); }

   private:
    StreamCall* const stream_;
    void (StreamCall::*const handle_)(bool);
  };

  // gRPC operations to start, in this order.
  struct Operations {
    std::optional<grpc::Slice> write;
    bool more_follows = false;  // another write will come soon
    bool read = false;
    std::optional<grpc::Status> finish;

    bool none() const { return !write.has_value() && !read && !finish.has_value(); }
  };

  StreamCall(IoLoop* loop, int method);
  ~StreamCall();
  void OnArrived(bool ok);
  void OnRead(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWritten(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFinished(bool ok);
  void OnOver(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);

  std::unique_ptr<Message> TakeMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answered(Message* message) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Its reply is the next to write.
  void QueueReply(std::unique_ptr<Message> message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Every message is answered, and every answer written.
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return unanswered_ == 0 && !writing_ && to_write_.empty();
  }
  /// Starts the operations that the state calls for. Releases the lock while it does; the caller
  /// holds a reference. One thread at a time, so that operations start in the order decided:
  /// another's call returns at once and leaves its operations to the first.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Decides on the next operations and counts them as started, with a reference for each.
  Operations Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Begin(Operations* operations) ABSL_LOCKS_EXCLUDED(mutex_);

  IoLoop* const loop_;
  const int method_;
  const bool ordered_;
  Tag arrived_tag_, read_tag_, written_tag_, finished_tag_, over_tag_;
  grpc::ServerContext context_;
  RawService::Stream stream_{&context_};
  grpc::ByteBuffer incoming_;
  std::atomic<bool> cancelled_{false};

  absl::Mutex mutex_;
  std::deque<Message*> in_order_ ABSL_GUARDED_BY(mutex_);  // ordered_: read and not yet queued
  std::deque<grpc::Slice> to_write_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Message>> spare_ ABSL_GUARDED_BY(mutex_);
  absl::Status end_ ABSL_GUARDED_BY(mutex_);       // an error ends the stream
  size_t unanswered_ ABSL_GUARDED_BY(mutex_) = 0;  // messages
  bool received_ ABSL_GUARDED_BY(mutex_) = true;   // a message, since Shutdown() looked
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;       // of unanswered requests and unwritten replies
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;  // the client sends no more
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool headers_sent_ ABSL_GUARDED_BY(mutex_) = false;  // with the first write
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;        // writes no longer reach the client
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool advancing_ ABSL_GUARDED_BY(mutex_) = false;  // a thread is in Advance()
  bool flush_listed_ ABSL_GUARDED_BY(mutex_) = false;
  // One for each pending tag, each unanswered message, and a listed flush. The first is
  // over_tag_'s.
  std::atomic<int> references_{1};
};

}  // namespace sigserve
