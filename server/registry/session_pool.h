// Sessions of one executable, lent out one batch at a time: a batch borrows an idle session or
// makes a new one, so it never waits for another. What comes back is kept for the next batch, up to
// `max_idle` sessions, and only while small: a session's scratch memory has the size of the largest
// batch it ran. Thread-safe. A lease keeps what it needs alive, so it may outlive the pool's owner.
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "model/runtime/executable.h"
#include "model/runtime/session.h"
#include "model/tensor/tensor_view.h"
#include "server/batching/task.h"

namespace sigserve {

class SessionPool : public std::enable_shared_from_this<SessionPool> {
 public:
  /// Scratch memory above which a session is freed rather than kept.
  static constexpr size_t kMaxIdleBytes = size_t{16} << 20;

  SessionPool(std::shared_ptr<const Executable> executable, size_t max_idle);
  ~SessionPool();

  /// Runs one batch; the results hold until the pointer is released. INVALID_ARGUMENT and
  /// RESOURCE_EXHAUSTED as Session::Run. The pool must be owned by a shared_ptr.
  absl::StatusOr<BatchOutputs> Run(absl::Span<const TensorView> inputs) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t idle() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Lease;
  std::unique_ptr<Lease> Borrow() ABSL_LOCKS_EXCLUDED(mutex_);
  void Return(std::unique_ptr<Lease> lease) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<const Executable> executable_;
  const size_t max_idle_;
  mutable absl::Mutex mutex_;
  std::vector<std::unique_ptr<Lease>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sigserve
