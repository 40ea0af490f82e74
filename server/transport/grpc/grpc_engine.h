// Makes the transport that runs on gRPC. None of gRPC's types show.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "server/rpc/method.h"
#include "server/transport/tls_certificates.h"
#include "server/transport/transport.h"

namespace sigserve {

/// Binds the address and serves: handlers may be called before it returns. `make_handler` is called
/// here, once per I/O thread. `certificates` must outlive the transport; null = no TLS. Errors as
/// Listener::Open. The limit on messages bounds decompression in the whole process.
absl::StatusOr<std::unique_ptr<Transport>> StartGrpcTransport(
    const TransportOptions& options, std::vector<Method> methods,
    const Transport::HandlerFactory& make_handler, const TlsCertificates* certificates);

}  // namespace sigserve
