#include "server/transport/connections.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace sigserve {
namespace {

// Corking costs two system calls per connection and saves packets where replies share one.
constexpr size_t kMaxConnectionsPerReply = 4;

void SetCork(const Connections::Snapshot& connections, int on) {
  for (const auto& connection : *connections) {
    // Fails on Unix sockets and closed connections, which is harmless.
    setsockopt(connection->fd(), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  }
}

bool IsDead(int fd) {
  pollfd entry{fd, 0, 0};  // no events: only errors and hang-ups
  return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

}  // namespace

ConnectionHandle::~ConnectionHandle() { close(fd_); }

bool Connections::Add(int fd) {
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return false;
  auto handle = std::make_shared<const ConnectionHandle>(copy);
  absl::MutexLock lock(&mutex_);
  auto next = std::make_shared<std::vector<std::shared_ptr<const ConnectionHandle>>>(*alive_);
  next->push_back(std::move(handle));
  alive_ = std::move(next);
  return true;
}

void Connections::Sweep() {
  const Snapshot before = snapshot();
  auto next = std::make_shared<std::vector<std::shared_ptr<const ConnectionHandle>>>();
  for (const auto& connection : *before) {
    if (!IsDead(connection->fd())) next->push_back(connection);
  }
  if (next->size() == before->size()) return;
  absl::MutexLock lock(&mutex_);
  if (alive_ == before) alive_ = std::move(next);  // otherwise the next sweep does it
}

size_t Connections::size() const {
  absl::ReaderMutexLock lock(&mutex_);
  return alive_->size();
}

Connections::Snapshot Connections::snapshot() const {
  absl::ReaderMutexLock lock(&mutex_);
  return alive_;
}

CorkScope::CorkScope(const Connections& connections, size_t replies) {
  if (replies < 2) return;
  Connections::Snapshot all = connections.snapshot();
  if (all->size() > kMaxConnectionsPerReply * replies) return;
  corked_ = std::move(all);
  SetCork(corked_, 1);
}

CorkScope::~CorkScope() {
  if (corked_ != nullptr) SetCork(corked_, 0);
}

}  // namespace sigserve
