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
  const absl::Status status =
      ok ? CheckAndOpen() : absl::CancelledError("the client sent no request");
  if (!status.ok()) {
    stream_->Finish(WireStatus(status));
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    open_ = true;
  }
  Notify();
}

absl::Status WatchReactor::CheckAndOpen() {
  size_t bytes = 0;
  for (const absl::string_view piece : stream_->message()) bytes += piece.size();
  if (bytes > kMaxRequestBytes) {  // its name is kept while the stream lasts
    return absl::InvalidArgumentError(
        absl::StrCat("the request has ", bytes, " bytes; the limit is ", kMaxRequestBytes));
  }
  return Open(stream_->message());
}

void WatchReactor::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    cancelled_ = cancelled_ || !ok;
  }
  Notify();
}

void WatchReactor::OnCancel() {
  {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
  }
  Notify();
}

void WatchReactor::Notify() {
  std::string message;
  absl::Status end;
  // Without the lock: Finish() may call OnDone().
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
  Update update;
  try {
    if (!cancelled_) update = Next();
  } catch (const std::bad_alloc&) {
    *end = absl::ResourceExhaustedError("not enough memory for the update");
  }
  if (cancelled_) *end = absl::CancelledError("the client disconnected");
  if (update.message.has_value()) {
    writing_ = true;
    *message = *std::move(update.message);
    return Step::kWrite;
  }
  finished_ = update.ended || !end->ok();
  return finished_ ? Step::kFinish : Step::kWait;
}

}  // namespace sigserve
