#include "client/bench/dial.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sigserve::bench {
namespace {

constexpr timeval kPatience = {.tv_sec = 5, .tv_usec = 0};

absl::StatusOr<int> ConnectTo(const std::string& name, const sockaddr* address, socklen_t size) {
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));  // a unix socket has no such delay
  if (fd >= 0 && connect(fd, address, size) == 0) return fd;
  const int reason = errno == EINPROGRESS ? ETIMEDOUT : errno;
  if (fd >= 0) close(fd);
  return absl::UnavailableError(absl::StrCat("cannot reach ", name, ": ", strerror(reason)));
}

}  // namespace

absl::StatusOr<int> Dial(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) {
    const std::string path(absl::StripPrefix(absl::string_view(address), "unix:"));
    sockaddr_un target = {};
    target.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(target.sun_path)) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", address, "': a socket's path has 1 to 107 bytes"));
    }
    std::memcpy(target.sun_path, path.data(), path.size());
    return ConnectTo(address, reinterpret_cast<const sockaddr*>(&target), sizeof(target));
  }
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", address, "' is neither HOST:PORT nor unix:PATH"));
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &list);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot reach ", address, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, freeaddrinfo);
  absl::StatusOr<int> fd = absl::UnavailableError(absl::StrCat("cannot reach ", address));
  for (const addrinfo* entry = list; entry != nullptr && !fd.ok(); entry = entry->ai_next) {
    fd = ConnectTo(address, entry->ai_addr, entry->ai_addrlen);
  }
  return fd;
}

int SetNonBlocking(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

}  // namespace sigserve::bench
