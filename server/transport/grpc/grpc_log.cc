#include "server/transport/grpc/grpc_log.h"

#include <grpc/support/log.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace sigserve {
namespace {

struct Cause {
  absl::string_view reason;  // OpenSSL's
  absl::string_view text;
};

constexpr Cause kCauses[] = {
    {"::http request", "the client sent plain HTTP to the TLS port"},
    {"::wrong version number", "the client does not use TLS"},
    {"::peer did not return a certificate",
     "the client has no certificate, but --tls_client_ca asks for one"},
    {"::certificate verify failed",
     "the client's certificate is not signed by an authority in --tls_client_ca"},
    {"::tlsv1 alert unknown ca", "the client does not trust the server's certificate"},
    {"alert bad certificate", "the client rejects the server's certificate, e.g. for its name"},
    {"alert certificate unknown", "the client rejects the server's certificate"},
    {"alert certificate expired", "the client says that the server's certificate has expired"},
    {"::certificate has expired", "the client's certificate has expired"},
    {"::unsupported protocol", "the client's TLS version is too old"},
    {"::no shared cipher", "client and server have no cipher in common"},
};

void Log(gpr_log_func_args* args) {
  if (args->severity != GPR_LOG_SEVERITY_ERROR) {
    LogLine(LogLevel::kInfo, args->file, args->line, absl::StrCat("gRPC: ", args->message));
    return;
  }
  const GrpcLogLine line = ExplainGrpcError(args->message);
  LogLine(line.level, args->file, args->line, line.text);
}

}  // namespace

GrpcLogLine ExplainGrpcError(absl::string_view message) {
  if (!absl::StartsWith(message, "Handshake failed with ")) {
    return {LogLevel::kError, absl::StrCat("gRPC: ", message)};
  }
  for (const Cause& cause : kCauses) {
    if (absl::StrContains(message, cause.reason)) {
      return {LogLevel::kWarning, absl::StrCat("TLS handshake failed: ", cause.text)};
    }
  }
  return {LogLevel::kWarning, absl::StrCat("TLS handshake failed: ", message)};
}

void RouteGrpcLog() { gpr_set_log_function(&Log); }

}  // namespace sigserve
