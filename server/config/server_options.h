// The server's settings: read from a textproto file (proto/sigserve/v1/server_config.proto), then
// overwritten by flags (command_line.h), then validated once. Plain values; nothing here opens a
// file or a port.
//
//   SIGSERVE_ASSIGN_OR_RETURN(ServerOptions options, ParseServerConfig(text, path));
//   command_line.ApplyTo(&options);
//   SIGSERVE_RETURN_IF_ERROR(Validate(options));
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sigserve {

/// The smallest and the largest valid value.
struct IntRange {
  int64_t low;
  int64_t high;
  bool contains(int64_t value) const { return low <= value && value <= high; }
};
inline constexpr IntRange kMessageBytesRange{1, std::numeric_limits<int32_t>::max()};
inline constexpr IntRange kSecondsRange{0, 24 * 60 * 60};

/// The gRPC clients' connections.
struct ConnectionOptions {
  int64_t max_connections = 10000;
  /// Calls and streams open at once on each connection.
  int64_t max_calls = 128;
  /// After this time the server asks the client to reconnect; zero = never.
  absl::Duration max_age = absl::ZeroDuration();
  /// SO_REUSEPORT: several servers may listen on the port.
  bool share_port = false;
};

/// PEM files; all empty = no TLS.
struct TlsOptions {
  std::string certificate_file;
  std::string key_file;
  /// Clients must present a certificate signed by one of these; empty = they need none.
  std::string client_ca_file;
  bool enabled() const { return !certificate_file.empty(); }
};

/// Where and how the server listens. Addresses are HOST:PORT or [IPv6]:PORT; port 0 picks one.
struct ListenOptions {
  /// Or unix:PATH.
  std::string grpc_address = "0.0.0.0:8001";
  /// Or "none".
  std::string http_address = "0.0.0.0:8002";
  /// Largest request and response.
  int64_t max_message_bytes = int64_t{64} << 20;
  /// How long calls in flight may take to finish after SIGTERM.
  absl::Duration drain = absl::Seconds(10);
  ConnectionOptions connections;
  TlsOptions tls;  // for gRPC

  bool http_enabled() const { return http_address != "none"; }
};

struct ThreadOptions {
  /// Threads that read and write connections and run light batches; 0 = one per four processors.
  int64_t io_threads = 0;
  /// Threads that run heavy batches; 0 = one per processor that the process may use.
  int64_t compute_threads = 0;
  /// Whether a single I/O thread may poll for a moment before it sleeps.
  bool spin = true;
};

struct TrainingOptions {
  bool disabled = false;
  /// Without the running job.
  int64_t max_queued_jobs = 16;
  /// Features and labels of all uploads and unfinished jobs in total.
  int64_t max_data_bytes = int64_t{1} << 30;
  /// An upload that sends nothing for this long is ended.
  absl::Duration upload_stall = absl::Minutes(1);
};

struct ServerOptions {
  std::string repository;
  /// How often to look for new versions; zero = only on request.
  absl::Duration repository_poll = absl::ZeroDuration();
  /// The name in ServerMetadata.
  std::string server_name = "sigserve";
  ListenOptions listen;
  ThreadOptions threads;
  TrainingOptions training;
};

/// Parses a file's contents; a field that is absent or zero keeps its default. `file`: the file's
/// name, for errors. INVALID_ARGUMENT names an unknown field with its line.
absl::StatusOr<ServerOptions> ParseServerConfig(absl::string_view text, absl::string_view file);

/// INVALID_ARGUMENT names the first invalid field: "grpc_address is 'x'; expected HOST:PORT with a
/// port from 0 to 65535".
absl::Status Validate(const ServerOptions& options);

}  // namespace sigserve
