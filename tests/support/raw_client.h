// A blocking TCP client for tests of servers: sends bytes, reads until the server closes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace sigserve::testing_support {

class RawClient {
 public:
  /// Connects to 127.0.0.1, or to ::1.
  explicit RawClient(int port, int family = AF_INET) : fd_(socket(family, SOCK_STREAM, 0)) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(static_cast<uint16_t>(port));
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = v4.sin_port;
    v6.sin6_addr = in6addr_loopback;
    connected_ = family == AF_INET6
                     ? connect(fd_, reinterpret_cast<sockaddr*>(&v6), sizeof v6) == 0
                     : connect(fd_, reinterpret_cast<sockaddr*>(&v4), sizeof v4) == 0;
  }
  ~RawClient() { close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  bool Send(const std::string& bytes) const {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  /// Everything the server sends until it closes the connection.
  std::string ReadAll() const {
    std::string all;
    char buffer[4096];
    ssize_t got = 0;
    while ((got = recv(fd_, buffer, sizeof buffer, 0)) > 0) {
      all.append(buffer, static_cast<size_t>(got));
    }
    return all;
  }

 private:
  const int fd_;
  bool connected_ = false;
};

/// Whether this machine has an IPv6 loopback address.
inline bool MachineHasIpv6() {
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&loopback), sizeof loopback) == 0;
  close(fd);
  return bound;
}

}  // namespace sigserve::testing_support
