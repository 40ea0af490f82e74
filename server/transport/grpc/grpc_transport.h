// The transport on gRPC's asynchronous API: our own accept loop, one completion queue and one
// thread per I/O thread. All methods of a server must come through it: threads of gRPC's own (a
// synchronous or callback service, its health or reflection) would take turns with ours in polling
// the connections, which halves the calls per second and triples the latency of a single call.
// Internal to the engine and its tests; grpc_engine.h is the way in.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "server/transport/grpc/io_loop.h"
#include "server/transport/listener.h"
#include "server/transport/tls_certificates.h"
#include "server/transport/transport.h"

namespace sigserve {

class GrpcTransport final : public Transport {
 public:
  /// As StartGrpcTransport().
  static absl::StatusOr<std::unique_ptr<GrpcTransport>> Start(
      const TransportOptions& options, std::vector<Method> methods,
      const HandlerFactory& make_handler, const TlsCertificates* certificates = nullptr);
  ~GrpcTransport() override;

  const std::string& bound_address() const override { return listener_->bound_address(); }
  int port() const override { return listener_->port(); }
  void StopAccepting() override { listener_->Stop(); }
  void BeginShutdown(absl::Time deadline) override;
  bool shutdown_is_over() const override { return shutdown_over_.HasBeenNotified(); }
  void EndShutdown() override;
  void EndStreams(StreamEnd end) override;
  int64_t open_calls() const override;

 private:
  GrpcTransport(const TransportOptions& options, std::unique_ptr<Listener> listener,
                std::vector<Method> methods);
  absl::Status StartServer(const TransportOptions& options, const HandlerFactory& make_handler,
                           const TlsCertificates* certificates);

  const std::unique_ptr<Listener> listener_;
  RawService service_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::vector<std::unique_ptr<IoLoop>> loops_;
  std::unique_ptr<grpc::Server> server_;
  std::thread shutdown_;
  absl::Notification shutdown_over_;
};

}  // namespace sigserve
