#include "server/rpc/guarded_stream.h"

#include <utility>

#include "server/rpc/exceptions.h"
#include "server/rpc/status.h"

namespace sigserve {

GuardedStream::GuardedStream(absl::string_view path, std::shared_ptr<StreamReactor> reactor)
    : path_(path), reactor_(std::move(reactor)) {}

template <typename Event>
void GuardedStream::Deliver(Event&& event) {
  {
    absl::MutexLock lock(&mutex_);
    if (failed_) return;
  }
  const absl::Status status = CatchExceptions(path_, [&] {
    event();
    return absl::OkStatus();
  });
  if (!status.ok()) Fail(WireStatus(status));
}

void GuardedStream::OnStart(ServerStream* stream) {
  stream_ = stream;
  Deliver([this] { reactor_->OnStart(this); });
}

void GuardedStream::OnReadDone(bool ok) {
  Deliver([this, ok] { reactor_->OnReadDone(ok); });
}

void GuardedStream::OnWriteDone(bool ok) {
  absl::Status error;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (failed_ && !finished_) {
      finished_ = true;
      error = error_;
    }
  }
  if (!error.ok()) return stream_->Finish(error);
  Deliver([this, ok] { reactor_->OnWriteDone(ok); });
}

void GuardedStream::OnCancel() {
  Deliver([this] { reactor_->OnCancel(); });
}

void GuardedStream::OnDone() {
  static_cast<void>(CatchExceptions(path_, [this] {
    reactor_->OnDone();
    return absl::OkStatus();
  }));
}

void GuardedStream::Read() {
  {
    absl::MutexLock lock(&mutex_);
    if (failed_ || finished_) return;
  }
  stream_->Read();
}

void GuardedStream::Write(const std::string& message) {
  {
    absl::MutexLock lock(&mutex_);
    if (failed_ || finished_) return;
    writing_ = true;
  }
  stream_->Write(message);
}

void GuardedStream::Finish(const absl::Status& status) {
  if (TakeFinish()) stream_->Finish(status);
}

void GuardedStream::WriteAndFinish(const std::string& message) {
  if (TakeFinish()) stream_->WriteAndFinish(message);
}

bool GuardedStream::TakeFinish() {
  absl::MutexLock lock(&mutex_);
  if (failed_ || finished_) return false;
  finished_ = true;
  return true;
}

void GuardedStream::Fail(const absl::Status& error) {
  {
    absl::MutexLock lock(&mutex_);
    failed_ = true;
    error_ = error;
    if (finished_ || writing_) return;  // OnWriteDone() finishes it
    finished_ = true;
  }
  stream_->Finish(error);
}

}  // namespace sigserve
