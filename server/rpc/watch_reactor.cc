#include "server/rpc/watch_reactor.h"

#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/rpc/status.h"

namespace sigserve {
namespace {

constexpr size_t kMaxRequestBytes = 4096;

}  // namespace

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
  size_t bytes = 0;
  for (const absl::string_view piece : stream_->message()) bytes += piece.size();
  if (bytes > kMaxRequestBytes) {  // it is kept as long as the watch
    return absl::InvalidArgumentError(absl::StrCat(
        "the request has ", bytes, " bytes; expected a name of at most ", kMaxRequestBytes));
  }
  return Open(stream_->message());
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
  std::string message;
  absl::Status end;
  // Called without the lock: the stream's end may come from within.
  switch (NextStep(&message, &end)) {
    case Step::kWait:
      return;
    case Step::kWrite:
      return stream_->Write(message);
    case Step::kFinish:
      return stream_->Finish(end);
  }
}

WatchReactor::Step WatchReactor::NextStep(std::string* message, absl::Status* end) {
  absl::MutexLock lock(&mutex_);
  if (!open_ || writing_ || finished_) return Step::kWait;
  News news;
  try {
    if (!cancelled_) news = Next();
  } catch (const std::bad_alloc&) {
    *end = absl::ResourceExhaustedError("no memory left for the watcher");
  }
  if (cancelled_) *end = absl::CancelledError("the watcher went away");
  if (news.message.has_value()) {
    writing_ = true;
    *message = *std::move(news.message);
    return Step::kWrite;
  }
  finished_ = news.ended || !end->ok();
  return finished_ ? Step::kFinish : Step::kWait;
}

}  // namespace sigserve
