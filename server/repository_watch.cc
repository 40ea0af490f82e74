#include "server/repository_watch.h"

#include <exception>

#include "model/base/log.h"

namespace sigserve {

RepositoryWatch::RepositoryWatch(ModelRegistry* registry, absl::Duration interval)
    : registry_(registry),
      interval_(interval > absl::ZeroDuration() ? interval : absl::InfiniteDuration()),
      thread_([this] { Run(); }) {}

RepositoryWatch::~RepositoryWatch() {
  RequestStop();
  thread_.join();
}

void RepositoryWatch::ReloadSoon() {
  absl::MutexLock lock(&mutex_);
  requested_ = true;
}

void RepositoryWatch::RequestStop() {
  absl::MutexLock lock(&mutex_);
  stopping_ = true;
}

void RepositoryWatch::Run() {
  for (;;) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(this, &RepositoryWatch::IsWoken), interval_);
      if (stopping_) return;
      requested_ = false;
    }
    try {
      const absl::Status status = registry_->ReloadAll();
      if (!status.ok()) SIGSERVE_LOG(kWarning, "repository: ", status.message());
    } catch (const std::exception& error) {  // out of memory; the next round may succeed
      SIGSERVE_LOG(kError, "repository: ", error.what());
    }
  }
}

}  // namespace sigserve
