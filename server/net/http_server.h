// HTTP/1.1 for monitoring, by libevent: GET and HEAD, one request per connection, no TLS. One
// thread answers everything, so handlers must be quick.
//
// Slow and silent clients cost one descriptor each and block no one: a connection has a total time
// (not an idle time), requests are bounded, and when there are too many connections the oldest is
// closed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "server/net/listen_socket.h"

namespace sigserve {

struct HttpResponse {
  int code = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

/// Answers GET (and HEAD, whose body is dropped). `path` has no query. Called on the server's
/// thread; an exception becomes a 500.
using HttpHandler = std::function<HttpResponse(const std::string& path)>;

struct HttpServerOptions {
  size_t max_connections = 64;
  /// From accept to the last byte of the response.
  absl::Duration connection_time = absl::Seconds(10);
};

class HttpServer {
 public:
  /// Serves `socket` until it is destroyed; `clock` must outlive it.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(std::unique_ptr<ListenSocket> socket,
                                                           const Clock* clock, HttpHandler handler,
                                                           const HttpServerOptions& options = {});
  /// Closes all connections; waits for a running handler only.
  virtual ~HttpServer() = default;

  virtual const std::string& address() const = 0;
  virtual int port() const = 0;
};

}  // namespace sigserve
