// gRPC's own log lines in the server's format (model/base/log.h), with TLS failures explained.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "model/base/log.h"

namespace sigserve {

/// Process-wide and permanent. Call it before gRPC is used.
void RouteGrpcLog();

struct GrpcLogLine {
  LogLevel level;
  std::string text;
};

/// What RouteGrpcLog() logs for an error of gRPC's: the text as it is; or, if a client failed the
/// TLS handshake, a warning that says what the client did.
GrpcLogLine ExplainGrpcError(absl::string_view message);

}  // namespace sigserve
