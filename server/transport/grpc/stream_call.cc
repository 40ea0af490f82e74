#include "server/transport/grpc/stream_call.h"

#include <optional>
#include <utility>

namespace sigserve {

class StreamCall::Message final : public InboundMessage {
 public:
  explicit Message(StreamCall* stream) : stream_(stream) {}

  void Take(grpc::ByteBuffer* buffer) {
    bytes_.Take(buffer);
    request_size_ = 0;
    for (const absl::string_view piece : bytes_.pieces()) request_size_ += piece.size();
    reply_.reset();
    status_ = absl::OkStatus();
    answered_ = false;
  }
  /// Frees the request: spare messages hold no bytes.
  void Release() { bytes_.Clear(); }

  absl::Span<const absl::string_view> request() const override { return bytes_.pieces(); }
  MonotonicTime deadline() const override {
    return MonotonicDeadline(stream_->context_.raw_deadline());
  }
  bool cancelled() const override { return stream_->cancelled_.load(std::memory_order_relaxed); }
  uint8_t* AllocateReply(size_t bytes) override {
    reply_.emplace(bytes);
    return const_cast<uint8_t*>(reply_->begin());
  }
  void Reply(const absl::Status& status) override {
    status_ = status;
    stream_->Answered(this);
  }
  void Refuse(const absl::Status& status, absl::Duration /*delay*/) override { Reply(status); }

  // For the stream, under its lock.
  size_t request_size() const { return request_size_; }
  std::optional<grpc::Slice>& reply() { return reply_; }
  const absl::Status& status() const { return status_; }
  bool answered() const { return answered_; }
  void set_answered() { answered_ = true; }

 private:
  StreamCall* const stream_;
  MessageBytes bytes_;
  std::optional<grpc::Slice> reply_;
  absl::Status status_;
  size_t request_size_ = 0;
  bool answered_ = false;
};

StreamCall::StreamCall(IoLoop* loop, int method)
    : loop_(loop),
      method_(method),
      ordered_(loop->service()->methods()[static_cast<size_t>(method)].ordered),
      arrived_tag_(this, &StreamCall::OnArrived),
      read_tag_(this, &StreamCall::OnRead),
      written_tag_(this, &StreamCall::OnWritten),
      finished_tag_(this, &StreamCall::OnFinished),
      over_tag_(this, &StreamCall::OnOver) {
  loop_->AddCall();
}

StreamCall::~StreamCall() {
  loop_->StreamClosed(this);
  loop_->RemoveCall();
}

void StreamCall::Post(IoLoop* loop, int method) {
  auto* call = new StreamCall(loop, method);
  call->context_.AsyncNotifyWhenDone(static_cast<CompletionTag*>(&call->over_tag_));
  loop->service()->RequestStream(method, &call->context_, &call->stream_, loop->queue(),
                                 static_cast<CompletionTag*>(&call->arrived_tag_));
}

void StreamCall::OnArrived(bool ok) {
  if (!ok) {
    delete this;  // shutdown: it never became a call, and its over_tag_ never comes
    return;
  }
  Post(loop_, method_);
  Shutdown(loop_->StreamOpened(this));  // over_tag_'s reference holds it
}

void StreamCall::Shutdown(StreamEnd end) {
  absl::MutexLock lock(&mutex_);
  const bool ends = end == StreamEnd::kNow ||
                    (end == StreamEnd::kWhenIdle && Idle() && !std::exchange(received_, false));
  if (ends && !half_closed_) end_.Update(absl::UnavailableError("the server is shutting down"));
  Advance();
}

void StreamCall::OnRead(bool ok) {
  std::unique_ptr<Message> message;
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (!ok) {
      half_closed_ = true;
    } else {
      message = TakeMessage();
    }
    Advance();
  }
  if (message != nullptr) {
    loop_->handler()->OnMessage(method_, message.release());  // Answered() takes it back
  }
  Unref();
}

std::unique_ptr<StreamCall::Message> StreamCall::TakeMessage() {
  std::unique_ptr<Message> message;
  if (spare_.empty()) {
    message = std::make_unique<Message>(this);
  } else {
    message = std::move(spare_.back());
    spare_.pop_back();
  }
  message->Take(&incoming_);
  bytes_ += message->request_size();
  if (ordered_) in_order_.push_back(message.get());
  ++unanswered_;
  received_ = true;
  ++references_;
  return message;
}

void StreamCall::Answered(Message* message) {
  {
    absl::MutexLock lock(&mutex_);
    --unanswered_;
    bytes_ -= message->request_size();
    message->Release();
    if (!ordered_) {
      QueueReply(std::unique_ptr<Message>(message));
    } else {
      message->set_answered();
      while (!in_order_.empty() && in_order_.front()->answered()) {
        QueueReply(std::unique_ptr<Message>(in_order_.front()));
        in_order_.pop_front();
      }
    }
    if (!loop_->on_own_thread()) {
      Advance();
    } else if (!flush_listed_) {
      flush_listed_ = true;
      ++references_;
      loop_->FlushLater(this);
    }
  }
  Unref();
}

void StreamCall::QueueReply(std::unique_ptr<Message> message) {
  if (!message->status().ok()) {
    end_.Update(message->status());
  } else if (!broken_) {
    grpc::Slice reply = message->reply().has_value() ? *std::move(message->reply()) : grpc::Slice();
    bytes_ += reply.size();
    to_write_.push_back(std::move(reply));
  }
  spare_.push_back(std::move(message));
}

void StreamCall::Flush() {
  {
    absl::MutexLock lock(&mutex_);
    flush_listed_ = false;
    Advance();
  }
  Unref();
}

void StreamCall::Advance() {
  if (advancing_) return;
  advancing_ = true;
  for (Operations next = Decide(); !next.none(); next = Decide()) {
    mutex_.Unlock();
    Begin(&next);
    mutex_.Lock();
  }
  advancing_ = false;
}

StreamCall::Operations StreamCall::Decide() {
  Operations next;
  if (finishing_) return next;
  if (broken_) to_write_.clear();  // bytes_ no longer matters: nothing more is read
  if (!writing_ && !to_write_.empty()) {
    writing_ = true;
    bytes_ -= to_write_.front().size();
    next.write = std::move(to_write_.front());
    to_write_.pop_front();
    next.more_follows = !to_write_.empty() && headers_sent_;
    headers_sent_ = true;
  }
  const bool ended = half_closed_ || broken_ || !end_.ok();
  if (!reading_ && !ended && bytes_ < kMaxUnansweredBytes &&
      unanswered_ + in_order_.size() + to_write_.size() < kMaxUnanswered) {
    reading_ = true;
    next.read = true;
  }
  if (ended && Idle()) {
    finishing_ = true;
    next.finish = GrpcStatus(end_);
  }
  references_ += int{next.write.has_value()} + int{next.read} + int{next.finish.has_value()};
  return next;
}

void StreamCall::Begin(Operations* operations) {
  if (operations->write.has_value()) {
    const grpc::ByteBuffer reply(&*operations->write, 1);
    grpc::WriteOptions options;
    // With the hint gRPC may hold this message back and send it together with the next. That is
    // safe because a write without the hint always follows: gRPC reports a held message as written,
    // so the next is written; or the stream broke meanwhile, and finishing it sends everything. The
    // first write has no hint: its report waits for the headers, which would be held back as well,
    // for ever.
    if (operations->more_follows) options.set_buffer_hint();
    stream_.Write(reply, options, static_cast<CompletionTag*>(&written_tag_));
  }
  if (operations->read) stream_.Read(&incoming_, static_cast<CompletionTag*>(&read_tag_));
  if (operations->finish.has_value()) {
    stream_.Finish(*operations->finish, static_cast<CompletionTag*>(&finished_tag_));
  }
}

void StreamCall::OnWritten(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok) broken_ = true;
    Advance();
  }
  Unref();
}

void StreamCall::OnFinished(bool) { Unref(); }

void StreamCall::OnOver(bool) {
  if (context_.IsCancelled()) {
    cancelled_.store(true, std::memory_order_relaxed);
    absl::MutexLock lock(&mutex_);
    broken_ = true;
    Advance();
  }
  Unref();
}

bool StreamCall::RefUnlessOver() {
  int references = references_.load(std::memory_order_relaxed);
  while (references > 0) {
    if (references_.compare_exchange_weak(references, references + 1, std::memory_order_acq_rel)) {
      return true;
    }
  }
  return false;
}

void StreamCall::Unref() {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

}  // namespace sigserve
