// Plain HTTP for Prometheus and for probes:
//   GET /metrics   the exposition, text format 0.0.4
//   GET /healthz   200 "ok" while the process lives
//   GET /readyz    200 "ready", or 503 with the reason
// Anything else is 404, any other method 405. Answers on two threads of its own; the functions it
// is given are called from them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sigserve {

struct HttpHandlers {
  std::function<std::string()> metrics;
  /// Why the server is not ready; OK when it is.
  std::function<absl::Status()> readiness;
};

class HttpEndpoint {
 public:
  /// Listens on HOST:PORT (an IPv6 host in brackets; port 0 = any free one). UNAVAILABLE names an
  /// address that cannot be bound and says why.
  static absl::StatusOr<std::unique_ptr<HttpEndpoint>> Start(const std::string& address,
                                                             HttpHandlers handlers);

  /// Waits for the threads, which can take up to 2 s (civetweb's poll); what matters first goes
  /// first.
  virtual ~HttpEndpoint() = default;

  /// The port that is bound.
  virtual int port() const = 0;
};

}  // namespace sigserve
