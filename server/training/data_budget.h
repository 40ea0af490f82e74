// How many bytes of training data are held at once, over all uploads and jobs, so that training
// cannot eat the memory that serving needs. Thread-safe; never blocks.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace sigserve {

class DataBudget {
 public:
  explicit DataBudget(int64_t limit_bytes) : limit_(limit_bytes) {}

  /// A share of the budget, grown as data comes in and given back when it goes. Moves; is not
  /// thread-safe itself. The budget must outlive it.
  class Share {
   public:
    Share() = default;
    explicit Share(DataBudget* budget) : budget_(budget) {}
    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (budget_ != nullptr) budget_->Give(bytes_);
    }
    /// RESOURCE_EXHAUSTED when the whole would exceed the limit; the share is then as before.
    absl::Status Grow(int64_t bytes);

   private:
    DataBudget* budget_ = nullptr;
    int64_t bytes_ = 0;
  };

  int64_t used() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status Take(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void Give(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  const int64_t limit_;
  mutable absl::Mutex mutex_;
  int64_t used_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sigserve
