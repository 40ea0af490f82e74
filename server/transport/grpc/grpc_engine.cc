#include "server/transport/grpc/grpc_engine.h"

#include <utility>

#include "server/transport/grpc/grpc_transport.h"

namespace sigserve {

absl::StatusOr<std::unique_ptr<Transport>> StartGrpcTransport(
    const TransportOptions& options, std::vector<Method> methods,
    const Transport::HandlerFactory& make_handler, const TlsCertificates* certificates) {
  return GrpcTransport::Start(options, std::move(methods), make_handler, certificates);
}

}  // namespace sigserve
