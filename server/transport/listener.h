// A listening socket, TCP or Unix, and the thread that accepts its connections for an engine.
// gRPC 1.51's own acceptor stops for good when descriptors run out (CVE-2023-4785), and corking
// needs the connections' descriptors.
//
// When accept() fails because descriptors have run out, the listener closes a spare descriptor,
// uses it to accept and close the waiting connection, and continues. Beyond `max_connections` it
// closes new connections at once.
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
  /// As ListenSocket::Open().
  std::string address = "";
  size_t max_connections = 10000;
  /// SO_REUSEPORT: several servers may share the port.
  bool share_port = false;
};

class Listener {
 public:
  /// Binds and listens. Errors as ListenSocket::Open().
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const ListenerOptions& options);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The address with the actual port.
  const std::string& bound_address() const { return socket_->address(); }
  int port() const { return socket_->port(); }
  const Connections& connections() const { return connections_; }

  /// Starts accepting. `take` receives and owns each connection's descriptor, which is
  /// non-blocking; called on the accepting thread.
  void Start(std::function<void(int fd)> take);
  /// Stops accepting and closes the listening socket.
  void Stop();

 private:
  Listener(ListenerOptions options, std::unique_ptr<ListenSocket> socket, int wake_fd);
  void Run(const std::function<void(int fd)>& take);
  /// False if accepting fails and will fail for a while.
  bool AcceptAll(const std::function<void(int fd)>& take);
  /// Closes one waiting connection, with the spare descriptor.
  bool ShedOne();
  void Sweep();
  void LogRefusal(absl::string_view why);

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
