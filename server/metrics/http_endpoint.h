// Plain HTTP for Prometheus and for probes:
//   GET /metrics   the exposition, text format 0.0.4
//   GET /healthz   200 "ok" while the process lives
//   GET /readyz    200 "ready", or 503 with the reason
// Anything else is 404, any other method 405.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/base/clock.h"
#include "server/net/http_server.h"

namespace sigserve {

/// Called on the endpoint's thread.
struct HttpHandlers {
  std::function<std::string()> metrics;
  /// Why the server is not ready; OK when it is.
  std::function<absl::Status()> readiness;
};

/// Listens on HOST:PORT (an IPv6 host in brackets, "[::]" for IPv6 and IPv4; port 0 picks one)
/// until the result is destroyed. Errors as ListenSocket::Open, "cannot listen for HTTP on ...".
absl::StatusOr<std::unique_ptr<HttpServer>> StartHttpEndpoint(const std::string& address,
                                                              const Clock* clock,
                                                              HttpHandlers handlers);

}  // namespace sigserve
