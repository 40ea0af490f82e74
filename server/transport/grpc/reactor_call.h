// One stream of a StreamReactor. Internal to the engine.
//
// gRPC wants no two operations that write to start at once: the headers, a message, the end. The
// state says which are due; Advance() starts them without the lock held.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/stream.h"
#include "server/transport/grpc/grpc_values.h"
#include "server/transport/grpc/io_loop.h"

namespace sigserve {

class ReactorCall final : public ServerStream {
 public:
  /// Waits for the next stream of a method. I/O thread, or before it starts. Owns itself.
  static void Post(IoLoop* loop, int method);

  void Read() override;
  absl::Span<const absl::string_view> message() const override { return bytes_.pieces(); }
  void Write(const std::string& message) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(const absl::Status& status) override ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteAndFinish(const std::string& message) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool cancelled() const override { return cancelled_.load(std::memory_order_acquire); }

 private:
  // Events of the completion queue, each a method of the call.
  class Tag final : public CompletionTag {
   public:
    Tag(ReactorCall* call, void (ReactorCall::*handle)(bool)) : call_(call), handle_(handle) {}
    void Complete(bool ok) override { (call_->*handle_)(ok); }

   private:
    ReactorCall* const call_;
    void (ReactorCall::*const handle_)(bool);
  };

  ReactorCall(IoLoop* loop, int method);
  ~ReactorCall();
  void OnArrived(bool ok);
  void OnRead(bool ok);
  void OnProbed(bool ok);
  void OnWritten(bool ok);
  void OnFinished(bool ok);
  void OnOver(bool ok);

  /// Finds out whether the client has sent everything or has disconnected: gRPC reports that
  /// sooner or later, but writing the headers to a client that is gone fails at once. False: the
  /// headers were sent before.
  bool Probe() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Starts the writing operations that are due. Releases the lock while it does; the caller holds
  /// a reference. One thread at a time: another's call leaves its operation to the first.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Starts one of them; false if none is due.
  bool BeginNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Passes an event to the reactor, on the executor.
  void Notify(std::function<void(StreamReactor*)> event);
  /// A reference while it lives: once an operation has started, the I/O thread may be done with the
  /// call before the thread that started it.
  class Hold {
   public:
    explicit Hold(ReactorCall* call) : call_(call) { call_->Ref(); }
    ~Hold() { call_->Unref(); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    ReactorCall* const call_;
  };
  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  /// The last one deletes the call.
  void Unref();

  IoLoop* const loop_;
  const int method_;
  Tag arrived_tag_, read_tag_, probed_tag_, written_tag_, finished_tag_, over_tag_;
  grpc::ServerContext context_;
  RawService::Stream stream_{&context_};
  grpc::ByteBuffer incoming_;
  MessageBytes bytes_;
  std::shared_ptr<StreamReactor> reactor_;
  std::atomic<bool> cancelled_{false};
  absl::Mutex mutex_;
  bool headers_sent_ ABSL_GUARDED_BY(mutex_) = false;  // or about to be
  bool probe_due_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::ByteBuffer> write_due_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> finish_due_ ABSL_GUARDED_BY(mutex_);  // with write_due_: both at once
  bool advancing_ ABSL_GUARDED_BY(mutex_) = false;                  // a thread is in Advance()
  // One for each pending tag, each event on the executor and each Hold. The first is over_tag_'s.
  std::atomic<int> references_{1};
};

}  // namespace sigserve
