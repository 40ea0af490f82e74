#include "server/services/watch_reactor.h"

#include <new>

#include "server/codec/status.h"

namespace sigserve {

void WatchReactor::OnStart(ServerStream* stream) {
  stream_ = stream;
  stream_->Read();
}

void WatchReactor::OnReadDone(bool ok) {
  const absl::Status status = ok ? TryOpen() : absl::CancelledError("the watcher sent no request");
  if (!status.ok()) {
    stream_->Finish(WireStatus(status));
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    open_ = true;
  }
  Proceed();
}

absl::Status WatchReactor::TryOpen() {
  try {
    return Open(stream_->message());
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory left for the watcher");
  }
}

void WatchReactor::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    cancelled_ = cancelled_ || !ok;
  }
  Proceed();
}

void WatchReactor::OnCancel() {
  {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
  }
  Proceed();
}

void WatchReactor::Proceed() {
  absl::MutexLock lock(&mutex_);
  if (!open_ || writing_ || finished_) return;
  if (cancelled_) {
    finished_ = true;
    stream_->Finish(absl::CancelledError("the watcher went away"));
    return;
  }
  try {
    const News news = Next();
    if (news.message.has_value()) {
      writing_ = true;
      stream_->Write(*news.message);
    } else if (news.ended) {
      finished_ = true;
      stream_->Finish(absl::OkStatus());
    }
  } catch (const std::bad_alloc&) {
    finished_ = true;
    stream_->Finish(absl::ResourceExhaustedError("no memory left for the watcher"));
  }
}

}  // namespace sigserve
