#include "server/metrics/http_endpoint.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace sigserve {
namespace {

constexpr char kTextFormat[] = "text/plain; version=0.0.4; charset=utf-8";

HttpResponse Route(const std::string& path, const HttpHandlers& handlers) {
  if (path == "/metrics") return {.body = handlers.metrics(), .content_type = kTextFormat};
  if (path == "/healthz") return {.body = "ok\n"};
  if (path == "/readyz") {
    const absl::Status ready = handlers.readiness();
    if (ready.ok()) return {.body = "ready\n"};
    return {.code = 503, .body = absl::StrCat("not ready: ", ready.message(), "\n")};
  }
  return {.code = 404, .body = "Not found. This port has /metrics, /healthz and /readyz.\n"};
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> StartHttpEndpoint(const std::string& address,
                                                              const Clock* clock,
                                                              HttpHandlers handlers) {
  absl::StatusOr<std::unique_ptr<ListenSocket>> socket = ListenSocket::Open(address);
  if (!socket.ok()) {
    return Annotate(socket.status(), absl::StrCat("cannot listen for HTTP on '", address, "'"));
  }
  return HttpServer::Start(
      *std::move(socket), clock,
      [handlers = std::move(handlers)](const std::string& path) { return Route(path, handlers); });
}

}  // namespace sigserve
