// One stream of a StreamReactor. Internal to the transport.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/rpc/stream.h"
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

  /// Has the client said all, or has it gone? gRPC tells that sooner or later; writing the headers
  /// to one that has gone fails at once. False: they have been written before.
  bool Probe() ABSL_LOCKS_EXCLUDED(mutex_);
  /// Tells the reactor, on the executor.
  void Tell(std::function<void(StreamReactor*)> event);
  /// A reference while it lives: once an operation has begun, the I/O thread may be done with the
  /// call before whoever began it.
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
  // gRPC wants no two writing operations at once.
  absl::Mutex mutex_;
  bool headers_sent_ ABSL_GUARDED_BY(mutex_) = false;
  // One for each tag that the queue still owes us, each event on the executor and each Hold. The
  // first: over_tag_.
  std::atomic<int> references_{1};
};

}  // namespace sigserve
