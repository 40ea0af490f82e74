// How a server stops without hurting its clients: it takes no more connections, says goodbye
// (GOAWAY) on those it has, lets calls in flight finish and is over as soon as none is left.
// Whoever only waits does not hold it up: idle connections, idle streams, watchers of the health.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>

#include "absl/time/time.h"
#include "server/transport/grpc/grpc_transport.h"

namespace sigserve {

/// Returns once nothing has been in flight for a moment, or when `patience` is over and calls were
/// cancelled. Streams that are idle end within a moment with UNAVAILABLE, streams that never are at
/// half of the time. `busy`: whether calls of other services than the transport's are going on;
/// called from this thread. On return the server is shut down and its connections are closed.
void StopGracefully(grpc::Server* server, GrpcTransport* transport,
                    const std::function<bool()>& busy, absl::Duration patience);

}  // namespace sigserve
