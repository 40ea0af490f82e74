#include "server/config/server_options.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "server/config/textproto.h"
#include "server/net/listen_socket.h"
#include "sigserve/v1/server_config.pb.h"

namespace sigserve {
namespace {

constexpr absl::string_view kUnix = "unix:";

absl::Status CheckRange(absl::string_view field, int64_t value, IntRange range) {
  if (range.contains(value)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; expected ", range.low, " to ", range.high));
}

absl::Status CheckSeconds(absl::string_view field, absl::Duration value, int64_t low) {
  return CheckRange(field, absl::ToInt64Seconds(value), {low, kSecondsRange.high});
}

void SetIfGiven(int64_t value, int64_t* target) {
  if (value != 0) *target = value;
}

void SetIfGiven(int64_t seconds, absl::Duration* target) {
  if (seconds != 0) *target = absl::Seconds(seconds);
}

absl::Status Validate(const ConnectionOptions& options) {
  SIGSERVE_RETURN_IF_ERROR(
      CheckRange("connections.max_connections", options.max_connections, {1, 1'000'000}));
  SIGSERVE_RETURN_IF_ERROR(CheckRange("connections.max_calls", options.max_calls, {1, 1'000'000}));
  return CheckSeconds("connections.max_age_seconds", options.max_age, 0);
}

absl::Status Validate(const TlsOptions& options) {
  const auto missing = [](absl::string_view field, absl::string_view given) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, " is empty, but ", given, " is given; TLS takes a certificate and its key"));
  };
  if (options.certificate_file.empty() && !options.key_file.empty()) {
    return missing("tls.certificate_file", "tls.key_file");
  }
  if (options.certificate_file.empty() && !options.client_ca_file.empty()) {
    return missing("tls.certificate_file", "tls.client_ca_file");
  }
  if (options.key_file.empty() && !options.certificate_file.empty()) {
    return missing("tls.key_file", "tls.certificate_file");
  }
  return absl::OkStatus();
}

absl::Status Validate(const TrainingOptions& options) {
  SIGSERVE_RETURN_IF_ERROR(
      CheckRange("training.max_queued_jobs", options.max_queued_jobs, {1, 10'000}));
  SIGSERVE_RETURN_IF_ERROR(
      CheckRange("training.max_data_bytes", options.max_data_bytes, {1, int64_t{1} << 40}));
  return CheckSeconds("training.upload_stall_seconds", options.upload_stall, 1);
}

}  // namespace

absl::StatusOr<ServerOptions> ParseServerConfig(absl::string_view text, absl::string_view file) {
  v1::ServerConfig config;
  SIGSERVE_RETURN_IF_ERROR(ParseTextProto(text, file, &config));
  ServerOptions options;
  options.repository = config.repository();
  if (!config.grpc_address().empty()) options.listen.grpc_address = config.grpc_address();
  if (!config.http_address().empty()) options.listen.http_address = config.http_address();
  if (!config.server_name().empty()) options.server_name = config.server_name();
  SetIfGiven(config.max_message_bytes(), &options.listen.max_message_bytes);
  SetIfGiven(config.drain_seconds(), &options.listen.drain);
  const v1::ConnectionConfig& connections = config.connections();
  SetIfGiven(connections.max_connections(), &options.listen.connections.max_connections);
  SetIfGiven(connections.max_calls(), &options.listen.connections.max_calls);
  SetIfGiven(connections.max_age_seconds(), &options.listen.connections.max_age);
  options.listen.connections.share_port = connections.share_port();
  options.listen.tls = {.certificate_file = config.tls().certificate_file(),
                        .key_file = config.tls().key_file(),
                        .client_ca_file = config.tls().client_ca_file()};
  options.threads.io_threads = config.io_threads();
  options.threads.spin = !config.no_spin();
  options.repository_poll = absl::Seconds(config.repository_poll_seconds());
  options.threads.compute_threads = config.compute_threads();
  options.training.disabled = config.training().disabled();
  SetIfGiven(config.training().max_queued_jobs(), &options.training.max_queued_jobs);
  SetIfGiven(config.training().max_data_bytes(), &options.training.max_data_bytes);
  SetIfGiven(config.training().upload_stall_seconds(), &options.training.upload_stall);
  return options;
}

absl::Status Validate(const ServerOptions& options) {
  if (options.repository.empty()) {
    return absl::InvalidArgumentError(
        "repository is empty; give the directory of the models: --repository=DIR");
  }
  // The listener checks the path.
  if (!absl::StartsWith(options.listen.grpc_address, kUnix)) {
    SIGSERVE_RETURN_IF_ERROR(ParseHostPort(options.listen.grpc_address, "grpc_address").status());
  }
  if (options.listen.http_enabled()) {
    SIGSERVE_RETURN_IF_ERROR(ParseHostPort(options.listen.http_address, "http_address").status());
  }
  SIGSERVE_RETURN_IF_ERROR(
      CheckRange("max_message_bytes", options.listen.max_message_bytes, kMessageBytesRange));
  SIGSERVE_RETURN_IF_ERROR(CheckSeconds("drain_seconds", options.listen.drain, 0));
  SIGSERVE_RETURN_IF_ERROR(CheckSeconds("repository_poll_seconds", options.repository_poll, 0));
  SIGSERVE_RETURN_IF_ERROR(CheckRange("io_threads", options.threads.io_threads, {0, 1024}));
  SIGSERVE_RETURN_IF_ERROR(
      CheckRange("compute_threads", options.threads.compute_threads, {0, 1024}));
  SIGSERVE_RETURN_IF_ERROR(Validate(options.listen.connections));
  SIGSERVE_RETURN_IF_ERROR(Validate(options.listen.tls));
  return Validate(options.training);
}

}  // namespace sigserve
