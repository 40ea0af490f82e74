#include "server/registry/session_pool.h"

#include <utility>

#include "model/base/status_macros.h"

namespace sigserve {

/// A session as it is lent; idle ones stay, so that lending takes no memory.
class SessionPool::Lease : public TaskOutputs {
 public:
  explicit Lease(const std::shared_ptr<const Executable>& executable) : session_(executable) {}

  void Begin(std::shared_ptr<SessionPool> pool) { pool_ = std::move(pool); }
  void Release() const override {
    auto* const self = const_cast<Lease*>(this);  // made as one that is not const
    const std::shared_ptr<SessionPool> pool = std::move(self->pool_);
    pool->Return(std::unique_ptr<Lease>(self));
  }

  Session& session() { return session_; }
  TensorView output(int i) const override { return session_.output(i); }
  TensorView logits(int i) const override { return session_.logits(i); }

 private:
  std::shared_ptr<SessionPool> pool_;  // while it is lent
  Session session_;
};

SessionPool::SessionPool(std::shared_ptr<const Executable> executable, size_t max_idle)
    : executable_(std::move(executable)), max_idle_(max_idle) {
  idle_.reserve(max_idle);  // giving back must not fail
}

SessionPool::~SessionPool() = default;

absl::StatusOr<BatchOutputs> SessionPool::Run(absl::Span<const TensorView> inputs) {
  std::unique_ptr<Lease> lease = Borrow();
  lease->Begin(shared_from_this());
  Session& session = lease->session();
  BatchOutputs outputs(lease.release());
  SIGSERVE_RETURN_IF_ERROR(session.Run(inputs));
  return outputs;
}

size_t SessionPool::idle() const {
  absl::MutexLock lock(&mutex_);
  return idle_.size();
}

std::unique_ptr<SessionPool::Lease> SessionPool::Borrow() {
  {
    absl::MutexLock lock(&mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Lease> lease = std::move(idle_.back());
      idle_.pop_back();
      return lease;
    }
  }
  return std::make_unique<Lease>(executable_);
}

void SessionPool::Return(std::unique_ptr<Lease> lease) {
  if (lease->session().memory_bytes() > kMaxIdleBytes) return;
  absl::MutexLock lock(&mutex_);
  if (idle_.size() < max_idle_) idle_.push_back(std::move(lease));
}

}  // namespace sigserve
