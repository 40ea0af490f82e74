// A whole sigserve server in one object: the repository's models behind gRPC, monitoring over HTTP.
// Knows no flags, signals or standard output; several may live in one process.
//
//   SIGSERVE_ASSIGN_OR_RETURN(std::unique_ptr<Server> server, Server::Create(options, &files));
//   SIGSERVE_RETURN_IF_ERROR(server->LoadModels());
//   SIGSERVE_RETURN_IF_ERROR(server->Start());
//   ... clients call server->grpc_address() ...
//   server->Stop(options.listen.drain);
//
// The calls above and the destructor are for one thread; everything else is thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/base/file.h"
#include "server/config/server_options.h"

namespace sigserve {

/// The project's version, e.g. "1.2.3": for --version, --help, metrics and metadata.
absl::string_view ServerVersion();

/// Settings of the process that servers rely on: log lines of libraries, lock checks, SIGPIPE. Call
/// it once, before other threads run.
void PrepareProcess();

class Server {
 public:
  /// Checks the options and reads the TLS files; then HTTP answers (/readyz with 503). Loads no
  /// model yet. `files` must outlive the server. Errors name the setting or the address.
  static absl::StatusOr<std::unique_ptr<Server>> Create(const ServerOptions& options,
                                                        FileSystem* files);
  /// Stops without waiting for calls in flight, unless Stop() came before.
  virtual ~Server() = default;

  /// Loads all models on the calling thread, which may take long. A model that does not load is
  /// logged and listed, and is no error.
  virtual absl::Status LoadModels() = 0;
  /// Opens the gRPC port and starts training. Call it once, after LoadModels().
  virtual absl::Status Start() = 0;

  /// Reads the TLS files again, for new connections, and tells a background thread to read the
  /// repository again. What fails is logged; what served goes on.
  virtual void Reload() = 0;

  /// Turns readiness off, finishes calls in flight for at most `drain`, and ends everything but
  /// HTTP, which the destructor ends. Idle clients do not delay it. Idempotent.
  virtual void Stop(absl::Duration drain) = 0;

  /// With the actual ports. http_address() is empty if HTTP is off.
  virtual std::string grpc_address() const = 0;
  virtual std::string http_address() const = 0;
  /// "2 models ready, 1 failed".
  virtual std::string ModelSummary() const = 0;
};

}  // namespace sigserve
