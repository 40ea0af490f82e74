// Counts the long calls of the control services (loads, unloads) that are running, so that a
// stopping server can wait for them. Calls of microseconds are not counted. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>

namespace sigserve {

class CallsInProgress {
 public:
  /// One call, while it lives.
  class Scope {
   public:
    explicit Scope(CallsInProgress* calls) : calls_(calls) { ++calls_->count_; }
    ~Scope() { --calls_->count_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    CallsInProgress* const calls_;
  };

  int64_t count() const { return count_; }

 private:
  std::atomic<int64_t> count_{0};
};

}  // namespace sigserve
