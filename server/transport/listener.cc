#include "server/transport/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr int kSweepMs = 1000;
constexpr int kAcceptsPerSweep = 64;
// No accept() for this long after a failure that may last.
constexpr int kPauseMs = 50;

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const ListenerOptions& options) {
  SIGSERVE_ASSIGN_OR_RETURN(
      std::unique_ptr<ListenSocket> socket,
      ListenSocket::Open(options.address, {.share_port = options.share_port}));
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", options.address, ": ",
                                               std::generic_category().message(errno)));
  }
  return std::unique_ptr<Listener>(new Listener(options, std::move(socket), wake_fd));
}

Listener::Listener(ListenerOptions options, std::unique_ptr<ListenSocket> socket, int wake_fd)
    : options_(std::move(options)),
      socket_(std::move(socket)),
      wake_fd_(wake_fd),
      spare_fd_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

Listener::~Listener() {
  Stop();
  close(wake_fd_);
  if (spare_fd_ >= 0) close(spare_fd_);
}

void Listener::Start(std::function<void(int fd)> take) {
  thread_ = std::thread([this, take = std::move(take)] { Run(take); });
}

void Listener::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
  thread_.join();
  socket_->Close();
}

void Listener::Run(const std::function<void(int fd)>& take) {
  bool pause = false;
  for (;;) {
    // While pausing it waits only for Stop().
    pollfd waiting[] = {{wake_fd_, POLLIN, 0}, {socket_->fd(), POLLIN, 0}};
    const int ready = poll(waiting, pause ? 1 : 2, pause ? kPauseMs : kSweepMs);
    if (waiting[0].revents != 0) return;
    if (ready == 0) Sweep();
    pause = waiting[1].revents != 0 && !AcceptAll(take);
  }
}

void Listener::Sweep() {
  accepts_since_sweep_ = 0;
  connections_.Sweep();
}

bool Listener::AcceptAll(const std::function<void(int fd)>& take) {
  for (;;) {
    const int fd = accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return true;
      if ((errno == EMFILE || errno == ENFILE) && ShedOne()) continue;
      return false;
    }
    if (++accepts_since_sweep_ >= kAcceptsPerSweep) Sweep();
    if (connections_.size() >= options_.max_connections) {
      Sweep();
      if (connections_.size() >= options_.max_connections) {
        close(fd);
        LogRefusal(absl::StrCat(options_.max_connections, " connections are open, the limit"));
        continue;
      }
    }
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // no-op on unix sockets
    // The duplicate counts it and corks it; without one the limit would not hold.
    if (!connections_.Add(fd)) {
      close(fd);
      LogRefusal("out of file descriptors");
      continue;
    }
    take(fd);
  }
}

bool Listener::ShedOne() {
  Sweep();
  if (spare_fd_ >= 0) close(spare_fd_);
  const int fd = accept4(socket_->fd(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    LogRefusal("out of file descriptors");
  }
  spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

void Listener::LogRefusal(absl::string_view why) {
  // The first of each thousand: a flood of connections must not flood the log.
  if (refused_++ % 1000 == 0) {
    SIGSERVE_LOG(kWarning, bound_address(), ": refused a connection (", refused_,
                 " so far): ", why);
  }
}

}  // namespace sigserve
