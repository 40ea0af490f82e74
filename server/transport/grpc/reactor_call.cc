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
  loop_->AddCall();
}

ReactorCall::~ReactorCall() { loop_->RemoveCall(); }

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
  Notify([this](StreamReactor* reactor) { reactor->OnStart(this); });
}

void ReactorCall::Read() {
  const Hold hold(this);
  Ref();
  stream_.Read(&incoming_, static_cast<CompletionTag*>(&read_tag_));
}

void ReactorCall::OnRead(bool ok) {
  if (ok) {
    bytes_.Take(&incoming_);
    Notify([](StreamReactor* reactor) { reactor->OnReadDone(true); });
  } else if (!Probe()) {
    Notify([](StreamReactor* reactor) { reactor->OnReadDone(false); });
  }
  Unref();
}

bool ReactorCall::Probe() {
  absl::MutexLock lock(&mutex_);
  if (std::exchange(headers_sent_, true)) return false;
  Ref();
  probe_due_ = true;
  Advance();
  return true;
}

void ReactorCall::OnProbed(bool ok) {
  if (!ok) cancelled_.store(true, std::memory_order_release);
  Notify([](StreamReactor* reactor) { reactor->OnReadDone(false); });
  Unref();
}

void ReactorCall::Write(const std::string& message) {
  const Hold hold(this);
  Ref();
  absl::MutexLock lock(&mutex_);
  headers_sent_ = true;
  write_due_ = Buffer(message);
  Advance();
}

void ReactorCall::OnWritten(bool ok) {
  Notify([ok](StreamReactor* reactor) { reactor->OnWriteDone(ok); });
  Unref();
}

void ReactorCall::Finish(const absl::Status& status) {
  const Hold hold(this);
  Ref();
  absl::MutexLock lock(&mutex_);
  headers_sent_ = true;
  finish_due_ = GrpcStatus(status);
  Advance();
}

void ReactorCall::WriteAndFinish(const std::string& message) {
  const Hold hold(this);
  Ref();
  absl::MutexLock lock(&mutex_);
  headers_sent_ = true;
  write_due_ = Buffer(message);
  finish_due_ = grpc::Status::OK;
  Advance();
}

void ReactorCall::Advance() {
  if (advancing_) return;
  advancing_ = true;
  while (BeginNext()) {
  }
  advancing_ = false;
}

bool ReactorCall::BeginNext() {
  const bool probe = std::exchange(probe_due_, false);
  std::optional<grpc::ByteBuffer> write;
  std::optional<grpc::Status> finish;
  if (!probe) {
    write = std::exchange(write_due_, std::nullopt);
    finish = std::exchange(finish_due_, std::nullopt);
  }
  if (!probe && !write.has_value() && !finish.has_value()) return false;
  mutex_.Unlock();
  if (probe) {
    stream_.SendInitialMetadata(static_cast<CompletionTag*>(&probed_tag_));
  } else if (!finish.has_value()) {
    stream_.Write(*write, static_cast<CompletionTag*>(&written_tag_));
  } else if (!write.has_value()) {
    stream_.Finish(*finish, static_cast<CompletionTag*>(&finished_tag_));
  } else {
    stream_.WriteAndFinish(*write, {}, *finish, static_cast<CompletionTag*>(&finished_tag_));
  }
  mutex_.Lock();
  return true;
}

void ReactorCall::OnFinished(bool) { Unref(); }

void ReactorCall::OnOver(bool) {
  if (context_.IsCancelled()) {
    cancelled_.store(true, std::memory_order_release);
    Notify([](StreamReactor* reactor) { reactor->OnCancel(); });
  }
  Unref();
}

void ReactorCall::Notify(std::function<void(StreamReactor*)> event) {
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
