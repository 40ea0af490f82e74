// TLS for gRPC's engine: credentials that use the current certificates at each handshake, so that a
// reload needs no new listener.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "server/transport/tls_certificates.h"

namespace sigserve {

/// `certificates` must outlive the server that uses the credentials. Null: no TLS.
std::shared_ptr<grpc::ServerCredentials> MakeCredentials(const TlsCertificates* certificates);

}  // namespace sigserve
