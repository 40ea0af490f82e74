#include "server/rpc/upload_watch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

constexpr absl::Duration kCheckInterval = absl::Seconds(1);

}  // namespace

UploadWatch::UploadWatch(const Clock* clock, absl::Duration stall)
    : clock_(clock), stall_(stall), thread_([this] {
        const absl::Duration interval = std::min(kCheckInterval, stall_ / 4);
        while (!stop_.WaitForNotificationWithTimeout(interval)) CheckStalled();
      }) {}

UploadWatch::~UploadWatch() {
  stop_.Notify();
  thread_.join();
}

void UploadWatch::Add(const std::shared_ptr<WatchedUpload>& upload) {
  absl::MutexLock lock(&mutex_);
  uploads_.emplace(upload.get(), upload);
}

void UploadWatch::Remove(const WatchedUpload* upload) {
  absl::MutexLock lock(&mutex_);
  uploads_.erase(upload);
}

std::vector<std::shared_ptr<WatchedUpload>> UploadWatch::Uploads() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::shared_ptr<WatchedUpload>> uploads;
  uploads.reserve(uploads_.size());
  for (const auto& [address, weak] : uploads_) {
    if (std::shared_ptr<WatchedUpload> upload = weak.lock()) uploads.push_back(std::move(upload));
  }
  return uploads;
}

void UploadWatch::CheckStalled() {
  const MonotonicTime now = clock_->Monotonic();
  for (const std::shared_ptr<WatchedUpload>& upload : Uploads()) {
    if (now - upload->last_heard() < stall_) continue;
    upload->End(absl::DeadlineExceededError(
        absl::StrCat("TRAIN_STALLED: no data arrived for ", absl::FormatDuration(stall_))));
  }
}

void UploadWatch::EndAll(const absl::Status& error) {
  for (const std::shared_ptr<WatchedUpload>& upload : Uploads()) upload->End(error);
}

}  // namespace sigserve
