// Listening stream sockets: TCP over IPv4, IPv6 or both, and Unix sockets. Used by the gRPC
// listener and by the HTTP endpoint. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sigserve {

struct HostPort {
  std::string host;  // an IPv6 address stands without its brackets
  int port = 0;
};

/// Parses "HOST:PORT" or "[IPv6]:PORT"; resolves nothing. INVALID_ARGUMENT names `field`.
absl::StatusOr<HostPort> ParseHostPort(absl::string_view address, absl::string_view field);

struct ListenSocketOptions {
  /// SO_REUSEPORT: several processes may share the port.
  bool share_port = false;
};

class ListenSocket {
 public:
  /// Binds and listens. `address`: "HOST:PORT" (port 0 picks one), "[::]:PORT" (IPv6 and IPv4), or
  /// "unix:PATH", where a socket that nothing listens on is replaced. INVALID_ARGUMENT for a bad
  /// address, ALREADY_EXISTS if it is in use or something else is at the path, otherwise
  /// UNAVAILABLE; each names the address.
  static absl::StatusOr<std::unique_ptr<ListenSocket>> Open(
      const std::string& address, const ListenSocketOptions& options = {});
  ~ListenSocket() { Close(); }
  ListenSocket(const ListenSocket&) = delete;
  ListenSocket& operator=(const ListenSocket&) = delete;

  /// Non-blocking, close-on-exec; -1 after Close().
  int fd() const { return fd_; }
  /// The address with the actual port.
  const std::string& address() const { return address_; }
  /// 0 for a Unix socket.
  int port() const { return port_; }
  /// Also removes the file of a Unix socket, unless another has taken its place. Idempotent.
  void Close();

 private:
  ListenSocket(int fd, std::string address) : fd_(fd), address_(std::move(address)) {}

  int fd_;
  std::string address_;
  int port_ = 0;
  ino_t inode_ = 0;  // of the Unix socket's file
};

}  // namespace sigserve
