#include "server/transport/grpc/unary_call.h"

#include "absl/strings/str_cat.h"

namespace sigserve {

UnaryCall::UnaryCall(IoLoop* loop, int method) : loop_(loop), method_(method), done_tag_(this) {
  loop_->AddCall();
}

UnaryCall::~UnaryCall() {
  if (arrived_) loop_->CallClosed();
  loop_->RemoveCall();
}

void UnaryCall::Post(IoLoop* loop, int method) {
  auto* call = new UnaryCall(loop, method);
  call->context_.AsyncNotifyWhenDone(static_cast<CompletionTag*>(&call->done_tag_));
  loop->service()->RequestUnary(method, &call->context_, &call->request_, &call->writer_,
                                loop->queue(), static_cast<CompletionTag*>(call));
}

void UnaryCall::Complete(bool ok) {
  if (!arrived_) {
    if (ok) {
      Arrived();
    } else {
      delete this;  // shutdown: it never became a call, and its done_tag_ never comes
    }
    return;
  }
  finished_ = true;
  DeleteWhenOver();
}

void UnaryCall::Arrived() {
  arrived_ = true;
  loop_->CallOpened();
  Post(loop_, method_);
  bytes_.Take(&request_);
  deadline_ = MonotonicDeadline(context_.raw_deadline());
  loop_->handler()->OnMessage(method_, this);
}

void UnaryCall::DoneTag::Complete(bool) {
  call_->over_ = true;
  if (call_->context_.IsCancelled()) call_->cancelled_.store(true, std::memory_order_relaxed);
  call_->DeleteWhenOver();
}

void UnaryCall::DeleteWhenOver() {
  if (finished_ && over_) delete this;
}

uint8_t* UnaryCall::AllocateReply(size_t bytes) {
  reply_.emplace(bytes);
  return const_cast<uint8_t*>(reply_->begin());
}

void UnaryCall::Reply(const absl::Status& status) {
  status_ = status;
  if (loop_->on_own_thread()) {
    loop_->FlushLater(this);
  } else {
    Flush();
  }
}

void UnaryCall::Refuse(const absl::Status& status, absl::Duration delay) {
  context_.AddTrailingMetadata("grpc-retry-pushback-ms",
                               absl::StrCat(absl::ToInt64Milliseconds(delay)));
  Reply(status);
}

void UnaryCall::Flush() {
  // From Finish on, the I/O thread may delete this call at any moment.
  if (status_.ok()) {
    grpc::ByteBuffer reply =
        reply_.has_value() ? grpc::ByteBuffer(&*reply_, 1) : grpc::ByteBuffer(nullptr, 0);
    writer_.Finish(reply, grpc::Status::OK, static_cast<CompletionTag*>(this));
  } else {
    writer_.FinishWithError(GrpcStatus(status_), static_cast<CompletionTag*>(this));
  }
}

}  // namespace sigserve
