#include "server/rpc/control_threads.h"

#include <system_error>
#include <utility>

namespace sigserve {

ControlThreads::ControlThreads(size_t max_threads) : max_threads_(max_threads) {
  absl::MutexLock lock(&mutex_);
  threads_.emplace_back([this] { Work(); });
}

ControlThreads::~ControlThreads() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void ControlThreads::Run(std::function<void()> work) {
  absl::MutexLock lock(&mutex_);
  waiting_.push_back(std::move(work));
  if (waiting_.size() <= idle_ || threads_.size() >= max_threads_) return;
  try {
    threads_.emplace_back([this] { Work(); });
  } catch (const std::system_error&) {
    // The system allows no more threads: the existing ones take it.
  }
}

void ControlThreads::Work() {
  absl::MutexLock lock(&mutex_);
  for (;;) {
    ++idle_;
    mutex_.Await(absl::Condition(this, &ControlThreads::HasWork));
    --idle_;
    if (waiting_.empty()) return;
    std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    mutex_.Unlock();
    work();
    work = nullptr;
    mutex_.Lock();
  }
}

}  // namespace sigserve
