// A listening socket of our own, TCP or unix, and the thread that accepts on it: gRPC 1.51's own
// acceptor stops accepting for good when descriptors run out (CVE-2023-4785), and corking needs the
// connections' descriptors.
//
// Healing: when accept fails for want of descriptors, a spare one is given up to accept and close
// the waiting connection, and accepting goes on. Over `max_connections` new connections are closed
// at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "server/net/listen_socket.h"
#include "server/transport/connections.h"

namespace sigserve {

struct ListenerOptions {
  /// "HOST:PORT" (port 0 picks one; "[::]:8001" for IPv6) or "unix:/path".
  std::string address = "";
  size_t max_connections = 10000;
  /// SO_REUSEPORT: several servers may share the port.
  bool share_port = false;
};

class Listener {
 public:
  /// Binds and listens. INVALID_ARGUMENT (bad address), ALREADY_EXISTS (in use), else UNAVAILABLE;
  /// each names the address.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const ListenerOptions& options);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The address with the port that was picked.
  const std::string& bound_address() const { return socket_->address(); }
  int port() const { return socket_->port(); }
  const Connections& connections() const { return connections_; }

  /// Starts accepting; `take` gets each connection's descriptor, non-blocking, and owns it.
  void Start(std::function<void(int fd)> take);
  /// Stops accepting and closes the listening socket.
  void Stop();

 private:
  Listener(ListenerOptions options, std::unique_ptr<ListenSocket> socket, int wake_fd);
  void Run(const std::function<void(int fd)>& take);
  /// False: accepting fails, and will for a while.
  bool AcceptAll(const std::function<void(int fd)>& take);
  bool ShedOne();
  void Sweep();
  void Refused(absl::string_view why);

  const ListenerOptions options_;
  const std::unique_ptr<ListenSocket> socket_;
  const int wake_fd_;  // eventfd: Stop() wakes the thread
  // The accepting thread's.
  int spare_fd_;
  int accepts_since_sweep_ = 0;
  int64_t refused_ = 0;
  Connections connections_;
  std::thread thread_;
};

}  // namespace sigserve
