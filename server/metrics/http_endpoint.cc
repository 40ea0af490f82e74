#include "server/metrics/http_endpoint.h"

#include <CivetServer.h>

#include <cstring>
#include <exception>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace sigserve {
namespace {

// Each holds one connection: more than the silent clients that a probe should have to wait for.
constexpr char kThreads[] = "16";
// A client that is silent for this long frees its thread.
constexpr char kRequestTimeoutMs[] = "1000";
constexpr char kTextFormat[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kPlainText[] = "text/plain; charset=utf-8";

void Answer(mg_connection* connection, int code, const char* reason, const char* type,
            const std::string& body, bool with_body = true) {
  const std::string head =
      absl::StrCat("HTTP/1.1 ", code, " ", reason, "\r\nContent-Type: ", type,
                   "\r\nContent-Length: ", body.size(), code == 405 ? "\r\nAllow: GET, HEAD" : "",
                   "\r\nConnection: close\r\n\r\n");
  mg_write(connection, head.data(), head.size());
  if (with_body) mg_write(connection, body.data(), body.size());
}

class Router : public CivetHandler {
 public:
  explicit Router(HttpHandlers handlers) : handlers_(std::move(handlers)) {}

  bool handleGet(CivetServer* /*server*/, mg_connection* connection) override {
    return Route(connection, true);
  }
  bool handleHead(CivetServer* /*server*/, mg_connection* connection) override {
    return Route(connection, false);
  }
  bool handlePost(CivetServer* /*server*/, mg_connection* connection) override {
    return Refuse(connection);
  }
  bool handlePut(CivetServer* /*server*/, mg_connection* connection) override {
    return Refuse(connection);
  }
  bool handleDelete(CivetServer* /*server*/, mg_connection* connection) override {
    return Refuse(connection);
  }
  bool handleOptions(CivetServer* /*server*/, mg_connection* connection) override {
    return Refuse(connection);
  }
  bool handlePatch(CivetServer* /*server*/, mg_connection* connection) override {
    return Refuse(connection);
  }

 private:
  static bool Refuse(mg_connection* connection) {
    Answer(connection, 405, "Method Not Allowed", kPlainText, "GET only\n");
    return true;
  }

  bool Route(mg_connection* connection, bool with_body) {
    const char* path = mg_get_request_info(connection)->local_uri;
    try {
      if (std::strcmp(path, "/metrics") == 0) {
        Answer(connection, 200, "OK", kTextFormat, handlers_.metrics(), with_body);
      } else if (std::strcmp(path, "/healthz") == 0) {
        Answer(connection, 200, "OK", kPlainText, "ok\n", with_body);
      } else if (std::strcmp(path, "/readyz") == 0) {
        const absl::Status ready = handlers_.readiness();
        if (ready.ok()) {
          Answer(connection, 200, "OK", kPlainText, "ready\n", with_body);
        } else {
          Answer(connection, 503, "Service Unavailable", kPlainText,
                 absl::StrCat("not ready: ", ready.message(), "\n"), with_body);
        }
      } else {
        Answer(connection, 404, "Not Found", kPlainText,
               "Not here. There are /metrics, /healthz and /readyz.\n", with_body);
      }
    } catch (const std::exception& e) {  // a library's, or out of memory; civetweb is C
      Answer(connection, 500, "Internal Server Error", kPlainText, absl::StrCat(e.what(), "\n"),
             with_body);
    }
    return true;
  }

  const HttpHandlers handlers_;
};

// civetweb reports why it could not start as log lines only.
class StartErrors {
 public:
  static int Collect(const mg_connection* connection, const char* message) {
    auto* server = static_cast<CivetServer*>(mg_get_user_data(mg_get_context(connection)));
    if (server == nullptr) return 1;
    auto* self = static_cast<StartErrors*>(const_cast<void*>(server->getUserContext()));
    absl::MutexLock lock(&self->mutex_);
    if (self->first_.empty()) self->first_ = message;
    return 1;  // handled: nothing is printed
  }
  std::string first() const {
    absl::MutexLock lock(&mutex_);
    return first_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::string first_ ABSL_GUARDED_BY(mutex_);
};

class CivetEndpoint : public HttpEndpoint {
 public:
  CivetEndpoint(const std::string& address, HttpHandlers handlers)
      : router_(std::move(handlers)),
        server_(std::vector<std::string>{"listening_ports", address, "num_threads", kThreads,
                                         "request_timeout_ms", kRequestTimeoutMs,
                                         "enable_directory_listing", "no"},
                Callbacks(), &errors_) {
    server_.addHandler("/", router_);
  }

  int port() const override { return port_; }
  void ReadPort() {
    const std::vector<int> ports = server_.getListeningPorts();
    port_ = ports.empty() ? 0 : ports.front();
  }
  std::string first_error() const { return errors_.first(); }

 private:
  static const CivetCallbacks* Callbacks() {
    static const CivetCallbacks callbacks = [] {
      CivetCallbacks result;
      result.log_message = &StartErrors::Collect;
      return result;
    }();
    return &callbacks;
  }

  StartErrors errors_;
  Router router_;  // outlives the server, which calls it
  CivetServer server_;
  int port_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(const std::string& address,
                                                                  HttpHandlers handlers) {
  // civetweb's list of ports has a syntax of its own: a comma would bind a second one.
  if (address.find_first_of(",+ ") != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("http_address is '", address, "'; expected HOST:PORT"));
  }
  try {
    auto endpoint = std::make_unique<CivetEndpoint>(address, std::move(handlers));
    endpoint->ReadPort();
    return endpoint;
  } catch (const CivetException& e) {
    return absl::UnavailableError(absl::StrCat("cannot listen for HTTP on '", address,
                                               "': ", e.what(),
                                               "; is the port taken by another process?"));
  }
}

}  // namespace sigserve
