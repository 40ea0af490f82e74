#include "server/transport/grpc/unknown_call.h"

#include "server/transport/grpc/grpc_values.h"

namespace sigserve {

UnknownCall::UnknownCall(IoLoop* loop) : loop_(loop) { loop_->AddCall(); }

UnknownCall::~UnknownCall() {
  if (arrived_) loop_->CallClosed();
  loop_->RemoveCall();
}

void UnknownCall::Post(IoLoop* loop) {
  auto* call = new UnknownCall(loop);
  loop->service()->RequestUnknown(&call->context_, &call->stream_, loop->queue(),
                                  static_cast<CompletionTag*>(call));
}

void UnknownCall::Complete(bool ok) {
  if (arrived_ || !ok) {  // answered, or the server shuts down
    delete this;
    return;
  }
  arrived_ = true;
  loop_->CallOpened();
  Post(loop_);
  stream_.Finish(GrpcStatus(loop_->handler()->RejectUnknown(context_.method())),
                 static_cast<CompletionTag*>(this));
}

}  // namespace sigserve
