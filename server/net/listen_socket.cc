#include "server/net/listen_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr int kBacklog = 1024;
constexpr int kMaxPort = 65535;
constexpr absl::string_view kUnix = "unix:";

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// What to do about an error of bind or socket; empty if its own text says enough.
absl::string_view Hint(int error) {
  switch (error) {
    case EADDRINUSE:
      return "; another process listens there";
    case EACCES:
      return "; a port below 1024 needs root or CAP_NET_BIND_SERVICE";
    case EADDRNOTAVAIL:
      return "; no network interface of this machine has that address";
    case EAFNOSUPPORT:
      return "; IPv6 is disabled on this machine";
    default:
      return "";
  }
}

absl::Status SystemError(absl::string_view address, absl::string_view action, int error) {
  const std::string text =
      absl::StrCat("cannot ", action, " ", address, ": ", std::generic_category().message(error),
                   absl::StartsWith(address, kUnix) && error != EADDRINUSE ? "" : Hint(error));
  if (error == EADDRINUSE) return absl::AlreadyExistsError(text);
  return absl::UnavailableError(text);
}

absl::StatusOr<SocketAddress> UnixAddress(absl::string_view path, absl::string_view text) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof un.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat("address '", text, "': the path must have 1 to ",
                                                   sizeof un.sun_path - 1, " characters"));
  }
  memcpy(un.sun_path, path.data(), path.size());
  SocketAddress address;
  memcpy(&address.storage, &un, sizeof un);
  address.size = sizeof un;
  return address;
}

absl::StatusOr<SocketAddress> Resolve(const std::string& text) {
  absl::string_view path = text;
  if (absl::ConsumePrefix(&path, kUnix)) return UnixAddress(path, text);
  SIGSERVE_ASSIGN_OR_RETURN(const HostPort parsed, ParseHostPort(text, "address"));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(parsed.host.c_str(), absl::StrCat(parsed.port).c_str(), &hints, &found);
  if (error != 0 || found == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("address '", text, "': cannot resolve '",
                                                   parsed.host, "': ", gai_strerror(error)));
  }
  const addrinfo* chosen = found;  // IPv4 if the name, e.g. "localhost", has both
  while (chosen->ai_next != nullptr && chosen->ai_family != AF_INET) chosen = chosen->ai_next;
  if (chosen->ai_family != AF_INET) chosen = found;
  SocketAddress address;
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

/// What stands at a path: "a regular file"; empty if nothing does, or a socket.
absl::string_view Obstacle(const char* path) {
  struct stat entry = {};
  if (lstat(path, &entry) != 0 || S_ISSOCK(entry.st_mode)) return "";
  if (S_ISREG(entry.st_mode)) return "a regular file";
  if (S_ISDIR(entry.st_mode)) return "a directory";
  if (S_ISLNK(entry.st_mode)) return "a symbolic link";
  return "a special file";
}

/// Removes the socket of a server that has ended: bind() would fail. Leaves a socket that accepts
/// connections, and anything that is not a socket.
absl::Status RemoveDeadSocket(const std::string& address, const SocketAddress& resolved) {
  const char* path = reinterpret_cast<const sockaddr_un*>(resolved.generic())->sun_path;
  const absl::string_view obstacle = Obstacle(path);
  if (!obstacle.empty()) {
    return absl::AlreadyExistsError(absl::StrCat("cannot bind ", address, ": ", obstacle,
                                                 " is there; name a path that does not exist"));
  }
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return absl::OkStatus();  // bind() will say what is wrong
  const bool dead = connect(probe, resolved.generic(), resolved.size) != 0 && errno == ECONNREFUSED;
  close(probe);
  if (dead) unlink(path);
  return absl::OkStatus();
}

/// Identifies the file at a path; 0 if there is none.
ino_t InodeOf(const char* path) {
  struct stat entry = {};
  return lstat(path, &entry) == 0 ? entry.st_ino : 0;
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(absl::string_view address, absl::string_view field) {
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat(field, " is '", address, "'; expected HOST:PORT with a port from 0 to ",
                   kMaxPort, ", e.g. '0.0.0.0:8001' or '[::1]:8001'"));
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return bad;
  absl::string_view host = address.substr(0, colon);
  const absl::string_view digits = address.substr(colon + 1);
  HostPort result;
  if (digits.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(digits[0])) ||
      !absl::SimpleAtoi(digits, &result.port) || result.port > kMaxPort) {
    return bad;
  }
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ':')) {
    return bad;  // an IPv6 address needs its brackets
  }
  for (const char c : host) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c)) || absl::StrContains("/[],+", c)) {
      return bad;
    }
  }
  if (host.empty()) return bad;
  result.host = std::string(host);
  return result;
}

absl::StatusOr<std::unique_ptr<ListenSocket>> ListenSocket::Open(
    const std::string& address, const ListenSocketOptions& options) {
  SIGSERVE_ASSIGN_OR_RETURN(const SocketAddress resolved, Resolve(address));
  const int family = resolved.family();
  if (family == AF_UNIX) SIGSERVE_RETURN_IF_ERROR(RemoveDeadSocket(address, resolved));
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return SystemError(address, "open a socket for", errno);
  std::unique_ptr<ListenSocket> result(new ListenSocket(fd, address));
  const int one = 1;
  const int zero = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (options.share_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
  if (bind(fd, resolved.generic(), resolved.size) != 0) return SystemError(address, "bind", errno);
  if (listen(fd, kBacklog) != 0) return SystemError(address, "listen on", errno);
  if (family == AF_UNIX) {
    result->inode_ = InodeOf(reinterpret_cast<const sockaddr_un*>(resolved.generic())->sun_path);
  } else {
    result->port_ = BoundPort(fd);
    result->address_ = absl::StrCat(address.substr(0, address.rfind(':')), ":", result->port_);
  }
  return result;
}

void ListenSocket::Close() {
  if (fd_ < 0) return;
  close(fd_);
  fd_ = -1;
  if (inode_ == 0) return;
  const std::string path = address_.substr(kUnix.size());
  if (InodeOf(path.c_str()) == inode_) unlink(path.c_str());
}

}  // namespace sigserve
