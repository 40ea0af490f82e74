#include "server/registry/session_pool.h"

#include <utility>

#include "model/base/status_macros.h"

namespace sigserve {

class SessionPool::Lease : public TaskOutputs {
 public:
  Lease(std::shared_ptr<SessionPool> pool, std::unique_ptr<Session> session)
      : pool_(std::move(pool)), session_(std::move(session)) {}
  ~Lease() override { pool_->Return(std::move(session_)); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  Session& session() { return *session_; }
  TensorView output(int i) const override { return session_->output(i); }
  TensorView logits(int i) const override { return session_->logits(i); }

 private:
  const std::shared_ptr<SessionPool> pool_;
  std::unique_ptr<Session> session_;
};

absl::StatusOr<std::unique_ptr<const TaskOutputs>> SessionPool::Run(
    absl::Span<const TensorView> inputs) {
  auto lease = std::make_unique<Lease>(shared_from_this(), Borrow());
  SIGSERVE_RETURN_IF_ERROR(lease->session().Run(inputs));
  return lease;
}

size_t SessionPool::idle() const {
  absl::MutexLock lock(&mutex_);
  return idle_.size();
}

std::unique_ptr<Session> SessionPool::Borrow() {
  {
    absl::MutexLock lock(&mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Session> session = std::move(idle_.back());
      idle_.pop_back();
      return session;
    }
  }
  return std::make_unique<Session>(executable_);
}

void SessionPool::Return(std::unique_ptr<Session> session) {
  if (session->memory_bytes() > kMaxIdleBytes) return;
  absl::MutexLock lock(&mutex_);
  if (idle_.size() < max_idle_) idle_.push_back(std::move(session));
}

}  // namespace sigserve
