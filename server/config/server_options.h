// The server's settings: read from a textproto file (proto/sigserve/v1/server_config.proto), then
// overlaid with flags, then validated once. Plain values; nothing here opens a file or a port.
//
//   SIGSERVE_ASSIGN_OR_RETURN(ServerOptions options, ParseServerConfig(text, path));
//   ApplyFlags(flags, &options);
//   SIGSERVE_RETURN_IF_ERROR(Validate(options));
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sigserve {

/// Of gRPC's clients.
struct ConnectionOptions {
  int64_t max_connections = 10000;
  /// On each connection at once.
  int64_t max_calls = 128;
  /// Then it is told to go; zero = never.
  absl::Duration max_age = absl::ZeroDuration();
  bool share_port = false;
};

/// PEM files; all empty = no TLS.
struct TlsOptions {
  std::string certificate_file;
  std::string key_file;
  /// Clients must show a certificate signed by one of these; empty = they need none.
  std::string client_ca_file;
  bool enabled() const { return !certificate_file.empty(); }
};

/// Where and how the server listens. Addresses are HOST:PORT; port 0 = any free one.
struct ListenOptions {
  /// Or unix:PATH.
  std::string grpc_address = "0.0.0.0:8001";
  std::string http_address = "0.0.0.0:8002";
  /// Largest request and response.
  int64_t max_message_bytes = int64_t{64} << 20;
  /// How long calls in flight may take to finish after SIGTERM.
  absl::Duration drain = absl::Seconds(10);
  ConnectionOptions connections;
  TlsOptions tls;  // for gRPC
  /// Threads that read and write connections and run light batches; 0 = one for four processors.
  int64_t io_threads = 0;
  /// They may poll for a moment before they sleep.
  bool spin = true;
};

struct TrainingOptions {
  bool disabled = false;
  /// The running job not counted.
  int64_t max_queued_jobs = 16;
  /// Features and labels of all uploads and unfinished jobs together.
  int64_t max_data_bytes = int64_t{1} << 30;
  /// How long an upload may bring nothing.
  absl::Duration upload_stall = absl::Minutes(1);
};

struct ServerOptions {
  std::string repository;
  /// Zero = look for new versions only on request.
  absl::Duration repository_poll = absl::ZeroDuration();
  /// The name in ServerMetadata.
  std::string server_name = "sigserve";
  ListenOptions listen;
  TrainingOptions training;
  /// For heavy batches; 0 = as many as the process may use processors.
  int64_t compute_threads = 0;
};

struct TlsFlags {
  std::optional<std::string> certificate = std::nullopt;
  std::optional<std::string> key = std::nullopt;
  std::optional<std::string> client_ca = std::nullopt;
};

/// What the command line gave; absent = not given.
struct FlagValues {
  std::optional<std::string> repository = std::nullopt;
  std::optional<std::string> grpc_address = std::nullopt;
  std::optional<std::string> http_address = std::nullopt;
  std::optional<int64_t> max_message_bytes = std::nullopt;
  std::optional<int64_t> drain_seconds = std::nullopt;
  std::optional<int64_t> repository_poll_seconds = std::nullopt;
  TlsFlags tls = {};
};

/// Parses the file's contents over the defaults; a field left out, or zero, keeps its default.
/// INVALID_ARGUMENT names an unknown field with its line. `file`: its name, for errors.
absl::StatusOr<ServerOptions> ParseServerConfig(absl::string_view text, absl::string_view file);

/// A flag that was given wins.
void ApplyFlags(const FlagValues& flags, ServerOptions* options);

/// INVALID_ARGUMENT names the first field that cannot be: "grpc_address is 'x'; expected HOST:PORT
/// with a port from 0 to 65535".
absl::Status Validate(const ServerOptions& options);

}  // namespace sigserve
