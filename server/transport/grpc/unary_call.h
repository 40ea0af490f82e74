// One unary call, from being posted to being answered. Internal to the engine.
#pragma once

#include <atomic>
#include <optional>

#include "server/transport/grpc/grpc_values.h"
#include "server/transport/grpc/io_loop.h"

namespace sigserve {

class UnaryCall final : public InboundMessage, public CompletionTag, public Flushable {
 public:
  /// Waits for the next call of a method. I/O thread, or before it starts. Owns itself.
  static void Post(IoLoop* loop, int method);

  absl::Span<const absl::string_view> request() const override { return bytes_.pieces(); }
  MonotonicTime deadline() const override { return deadline_; }
  bool cancelled() const override { return cancelled_.load(std::memory_order_relaxed); }
  uint8_t* AllocateReply(size_t bytes) override;
  void Reply(const absl::Status& status) override;
  void Refuse(const absl::Status& status, absl::Duration delay) override;

  void Complete(bool ok) override;
  void Flush() override;

 private:
  // gRPC's notice that the call is over, for whatever reason.
  class DoneTag final : public CompletionTag {
   public:
    explicit DoneTag(UnaryCall* call) : call_(call) {}
    void Complete(bool ok) override;

   private:
    UnaryCall* const call_;
  };

  UnaryCall(IoLoop* loop, int method);
  ~UnaryCall();
  void Arrived();
  void DeleteWhenOver();

  IoLoop* const loop_;
  const int method_;
  DoneTag done_tag_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_;
  RawService::UnaryWriter writer_{&context_};
  MessageBytes bytes_;
  MonotonicTime deadline_;
  std::atomic<bool> cancelled_{false};
  std::optional<grpc::Slice> reply_;
  absl::Status status_;

  // I/O thread only.
  bool arrived_ = false;
  bool finished_ = false;  // our reply has left, or is lost
  bool over_ = false;      // gRPC says that the call is over
};

}  // namespace sigserve
