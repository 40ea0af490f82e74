// One bidirectional stream: its messages go up one by one and may be answered in any order; each
// reply is one message of the stream, written as it is ready or in the order asked. At most
// kMaxUnanswered messages, and kMaxUnansweredBytes of them, are unanswered or unwritten: beyond
// that the stream is not read, and HTTP/2's flow control stops the client. Internal to the
// transport.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/transport/grpc/io_loop.h"

namespace sigserve {

class StreamCall final : public Flushable {
 public:
  static constexpr size_t kMaxUnanswered = 1024;
  static constexpr size_t kMaxUnansweredBytes = size_t{4} << 20;  // or one message

  /// Waits for the next stream of a method. I/O thread, or before it starts. Owns itself.
  static void Post(IoLoop* loop, int method);

  void Flush() override ABSL_LOCKS_EXCLUDED(mutex_);
  /// The server is stopping. The client is told so: UNAVAILABLE.
  void EndLike(StreamEnd end) ABSL_LOCKS_EXCLUDED(mutex_);

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

  StreamCall(IoLoop* loop, int method);
  ~StreamCall();
  void OnArrived(bool ok);
  void OnRead(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWritten(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFinished(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnOver(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);

  std::unique_ptr<Message> TakeMessage() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answered(Message* message) ABSL_LOCKS_EXCLUDED(mutex_);
  /// Its reply is the next to write.
  void QueueReply(std::unique_ptr<Message> message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Nothing is in flight on our side.
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return unanswered_ == 0 && !writing_ && to_write_.empty();
  }
  /// Starts whatever operations the state asks for.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Gives a reference back; the last one deletes the stream.
  void Unref();

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
  bool brought_ ABSL_GUARDED_BY(mutex_) = true;    // something since EndLike looked
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;       // of unanswered requests and unwritten replies
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;  // the client sends no more
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool headers_sent_ ABSL_GUARDED_BY(mutex_) = false;  // with the first write
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;        // writes no longer reach the client
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool flush_listed_ ABSL_GUARDED_BY(mutex_) = false;
  // One for each tag that the queue still owes us, each unanswered message, and a listed flush.
  // The first: over_tag_.
  std::atomic<int> references_{1};
};

}  // namespace sigserve
