// TLS for the transport, by gRPC. Files are PEM, and read once: a renewed certificate is taken up
// by the next server. (gRPC 1.51 can watch files, but ends the process over an empty one, and
// closes the port to all over a certificate that was renewed before its key.)
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/base/file.h"

namespace sigserve {

struct TlsFiles {
  /// The server's, followed by those in between.
  std::string certificate;
  /// Without a passphrase.
  std::string key;
  /// Those that sign clients' certificates; empty = clients need none.
  std::string client_ca;
};

/// INVALID_ARGUMENT names the file that cannot be read or is none, or says that the key is not the
/// certificate's.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsCredentials(const TlsFiles& files,
                                                                        FileSystem* file_system);

}  // namespace sigserve
