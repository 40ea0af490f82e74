// TLS for the transport, by gRPC. Files are PEM. A renewed certificate, with its key, is taken up
// within a minute, without a restart.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sigserve {

struct TlsFiles {
  /// The server's, followed by those in between.
  std::string certificate;
  std::string key;
  /// Those that sign clients' certificates; empty = clients need none.
  std::string client_ca;
};

/// INVALID_ARGUMENT names the file that cannot be read or is none, or says that the key is not the
/// certificate's.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsCredentials(const TlsFiles& files);

}  // namespace sigserve
