#include "server/transport/grpc/reactor_call.h"

#include <utility>

namespace sigserve {
namespace {

grpc::ByteBuffer Buffer(const std::string& message) {
  const grpc::Slice slice(message);
  return {&slice, 1};
}

}  // namespace

ReactorCall::ReactorCall(IoLoop* loop, int method)
    : loop_(loop),
      method_(method),
      arrived_tag_(this, &ReactorCall::OnArrived),
      read_tag_(this, &ReactorCall::OnRead),
      probed_tag_(this, &ReactorCall::OnProbed),
      written_tag_(this, &ReactorCall::OnWritten),
      finished_tag_(this, &ReactorCall::OnFinished),
      over_tag_(this, &ReactorCall::OnOver) {
  loop_->CallBegins();
}

ReactorCall::~ReactorCall() { loop_->CallEnds(); }

void ReactorCall::Post(IoLoop* loop, int method) {
  auto* call = new ReactorCall(loop, method);
  call->context_.AsyncNotifyWhenDone(static_cast<CompletionTag*>(&call->over_tag_));
  loop->service()->RequestStream(method, &call->context_, &call->stream_, loop->queue(),
                                 static_cast<CompletionTag*>(&call->arrived_tag_));
}

void ReactorCall::OnArrived(bool ok) {
  if (!ok) {
    delete this;  // shutdown: it never became a call, and its over_tag_ never comes
    return;
  }
  Post(loop_, method_);
  reactor_ = loop_->handler()->OpenStream(method_);
  Tell([this](StreamReactor* reactor) { reactor->OnStart(this); });
}

void ReactorCall::Read() {
  const Hold hold(this);
  Ref();
  stream_.Read(&incoming_, static_cast<CompletionTag*>(&read_tag_));
}

void ReactorCall::OnRead(bool ok) {
  if (ok) {
    bytes_.Take(&incoming_);
    Tell([](StreamReactor* reactor) { reactor->OnReadDone(true); });
  } else if (!Probe()) {
    Tell([](StreamReactor* reactor) { reactor->OnReadDone(false); });
  }
  Unref();
}

bool ReactorCall::Probe() {
  absl::MutexLock lock(&mutex_);
  if (std::exchange(headers_sent_, true)) return false;
  Ref();
  stream_.SendInitialMetadata(static_cast<CompletionTag*>(&probed_tag_));
  return true;
}

void ReactorCall::OnProbed(bool ok) {
  if (!ok) cancelled_.store(true, std::memory_order_release);
  Tell([](StreamReactor* reactor) { reactor->OnReadDone(false); });
  Unref();
}

void ReactorCall::Write(const std::string& message) {
  const Hold hold(this);
  Ref();
  absl::MutexLock lock(&mutex_);
  headers_sent_ = true;
  stream_.Write(Buffer(message), static_cast<CompletionTag*>(&written_tag_));
}

void ReactorCall::OnWritten(bool ok) {
  Tell([ok](StreamReactor* reactor) { reactor->OnWriteDone(ok); });
  Unref();
}

void ReactorCall::Finish(const absl::Status& status) {
  const Hold hold(this);
  Ref();
  absl::MutexLock lock(&mutex_);
  headers_sent_ = true;
  stream_.Finish(GrpcStatus(status), static_cast<CompletionTag*>(&finished_tag_));
}

void ReactorCall::WriteAndFinish(const std::string& message) {
  const Hold hold(this);
  Ref();
  absl::MutexLock lock(&mutex_);
  headers_sent_ = true;
  stream_.WriteAndFinish(Buffer(message), {}, grpc::Status::OK,
                         static_cast<CompletionTag*>(&finished_tag_));
}

void ReactorCall::OnFinished(bool) { Unref(); }

void ReactorCall::OnOver(bool) {
  if (context_.IsCancelled()) {
    cancelled_.store(true, std::memory_order_release);
    Tell([](StreamReactor* reactor) { reactor->OnCancel(); });
  }
  Unref();
}

void ReactorCall::Tell(std::function<void(StreamReactor*)> event) {
  Ref();
  loop_->service()->executor()([this, event = std::move(event)] {
    event(reactor_.get());
    Unref();
  });
}

void ReactorCall::Unref() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  reactor_->OnDone();
  delete this;
}

}  // namespace sigserve
