#include "server/transport/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/log.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr int kBacklog = 1024;
constexpr int kSweepMs = 1000;
constexpr int kAcceptsPerSweep = 64;
// After a failure that may last: how long nothing is accepted.
constexpr int kPauseMs = 50;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

absl::Status SystemError(const std::string& address, absl::string_view action, int error) {
  const std::string text =
      absl::StrCat("cannot ", action, " ", address, ": ", std::generic_category().message(error));
  if (error == EADDRINUSE) return absl::AlreadyExistsError(text);
  return absl::UnavailableError(text);
}

absl::StatusOr<SocketAddress> ParseAddress(const std::string& text) {
  SocketAddress address;
  absl::string_view path = text;
  if (absl::ConsumePrefix(&path, "unix:")) {
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof un.sun_path) {
      return absl::InvalidArgumentError(absl::StrCat(
          "address '", text, "': the path must have 1 to ", sizeof un.sun_path - 1, " characters"));
    }
    memcpy(un.sun_path, path.data(), path.size());
    memcpy(&address.storage, &un, sizeof un);
    address.size = sizeof un;
    return address;
  }
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port) ||
      port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("address '", text, "'; expected HOST:PORT or unix:PATH"));
  }
  absl::string_view host = absl::string_view(text).substr(0, colon);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]"))
    host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(std::string(host).c_str(), absl::StrCat(port).c_str(), &hints, &found);
  if (error != 0 || found == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("address '", text, "': cannot resolve '", host, "': ", gai_strerror(error)));
  }
  const addrinfo* chosen = found;  // "localhost" means IPv4 where it means both
  while (chosen->ai_next != nullptr && chosen->ai_family != AF_INET) chosen = chosen->ai_next;
  if (chosen->ai_family != AF_INET) chosen = found;
  memcpy(&address.storage, chosen->ai_addr, chosen->ai_addrlen);
  address.size = chosen->ai_addrlen;
  freeaddrinfo(found);
  return address;
}

int BoundPort(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  if (bound.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in&>(bound).sin_port);
  if (bound.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6&>(bound).sin6_port);
  return 0;
}

/// A socket file that nobody listens on any more is in the way of bind; one that answers is not
/// ours to remove.
void RemoveDeadSocketFile(const SocketAddress& address) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return;
  const auto* generic = reinterpret_cast<const sockaddr*>(&address.storage);
  if (connect(probe, generic, address.size) != 0 && errno == ECONNREFUSED) {
    unlink(reinterpret_cast<const sockaddr_un*>(generic)->sun_path);
  }
  close(probe);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const ListenerOptions& options) {
  SIGSERVE_ASSIGN_OR_RETURN(const SocketAddress address, ParseAddress(options.address));
  const int family = address.storage.ss_family;
  if (family == AF_UNIX) RemoveDeadSocketFile(address);
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // From here on the listener owns both.
  std::unique_ptr<Listener> listener(new Listener(options, fd, wake_fd));
  if (fd < 0 || wake_fd < 0) return SystemError(options.address, "open a socket for", errno);
  const int one = 1;
  const int zero = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (options.share_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0) {
    return SystemError(options.address, "bind", errno);
  }
  if (listen(fd, kBacklog) != 0) return SystemError(options.address, "listen on", errno);
  listener->port_ = BoundPort(fd);
  listener->bound_address_ =
      family == AF_UNIX ? options.address
                        : absl::StrCat(options.address.substr(0, options.address.rfind(':')), ":",
                                       listener->port_);
  return listener;
}

Listener::Listener(ListenerOptions options, int fd, int wake_fd)
    : options_(std::move(options)),
      fd_(fd),
      wake_fd_(wake_fd),
      spare_fd_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

Listener::~Listener() {
  Stop();
  for (const int fd : {fd_, wake_fd_, spare_fd_}) {
    if (fd >= 0) close(fd);
  }
}

void Listener::Start(std::function<void(int fd)> take) {
  thread_ = std::thread([this, take = std::move(take)] { Run(take); });
}

void Listener::Stop() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
  thread_.join();
  shutdown(fd_, SHUT_RDWR);
  if (absl::string_view path = options_.address; absl::ConsumePrefix(&path, "unix:")) {
    unlink(std::string(path).c_str());
  }
}

void Listener::Run(const std::function<void(int fd)>& take) {
  bool pause = false;
  for (;;) {
    // While pausing, only Stop() is heard.
    pollfd waiting[] = {{wake_fd_, POLLIN, 0}, {fd_, POLLIN, 0}};
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
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
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
        Refused(absl::StrCat(options_.max_connections, " connections are open, the limit"));
        continue;
      }
    }
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // no-op on unix sockets
    // Counted and corked by a duplicate; without one the cap could not hold.
    if (!connections_.Add(fd)) {
      close(fd);
      Refused("out of file descriptors");
      continue;
    }
    take(fd);
  }
}

bool Listener::ShedOne() {
  Sweep();
  if (spare_fd_ >= 0) close(spare_fd_);
  const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    Refused("out of file descriptors");
  }
  spare_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

void Listener::Refused(absl::string_view why) {
  // The first of each thousand: a flood of connections must not become a flood of lines.
  if (refused_++ % 1000 == 0) {
    SIGSERVE_LOG(kWarning, bound_address_, ": refused a connection (", refused_, " so far): ", why);
  }
}

}  // namespace sigserve
