#include "server/training/event_log.h"

#include <algorithm>
#include <utility>

namespace sigserve {
namespace {
constexpr int64_t kMaxEpochEvents = 10'000;
}

bool RecordsEpoch(int64_t epoch, int64_t epochs_total) {
  const int64_t stride =
      std::max<int64_t>(1, (epochs_total + kMaxEpochEvents - 1) / kMaxEpochEvents);
  return epoch % stride == 0 || epoch == epochs_total;
}

void EventLog::Append(const JobStatus& status) {
  Entry entry;
  entry.status = std::make_unique<const JobStatus>(status);
  AppendEntry(std::move(entry));
}

void EventLog::Append(const EpochMetrics& metrics) { AppendEntry({metrics, nullptr}); }

void EventLog::AppendEntry(Entry entry) {
  std::vector<std::shared_ptr<const Listener>> listeners;
  {
    absl::MutexLock lock(&mutex_);
    ended_ = entry.status != nullptr && HasEnded(entry.status->state);
    entries_.push_back(std::move(entry));
    listeners.reserve(listeners_.size());
    for (const auto& [subscription, listener] : listeners_) listeners.push_back(listener);
  }
  for (const auto& listener : listeners) (*listener)();
}

EventLog::Next EventLog::After(int64_t after) const {
  absl::MutexLock lock(&mutex_);
  const int64_t index = std::max<int64_t>(after, first_number_ - 1) - (first_number_ - 1);
  Next next;
  if (index >= static_cast<int64_t>(entries_.size())) {
    next.ended = ended_;
    return next;
  }
  const Entry& entry = entries_[static_cast<size_t>(index)];
  JobEvent& event = next.event.emplace();
  event.number = first_number_ + index;
  if (entry.status != nullptr) {
    event.what = *entry.status;
  } else {
    event.what = entry.epoch;
  }
  return next;
}

int64_t EventLog::last_number() const {
  absl::MutexLock lock(&mutex_);
  return first_number_ - 1 + static_cast<int64_t>(entries_.size());
}

int64_t EventLog::Subscribe(Listener listener) {
  auto shared = std::make_shared<const Listener>(std::move(listener));
  absl::MutexLock lock(&mutex_);
  listeners_.emplace(next_subscription_, std::move(shared));
  return next_subscription_++;
}

void EventLog::Unsubscribe(int64_t subscription) {
  absl::MutexLock lock(&mutex_);
  listeners_.erase(subscription);
}

}  // namespace sigserve
