// The transport on gRPC's async API: our own accept loop, one completion queue and thread per core,
// drain and cork. All of a server's methods are to come this way: threads of gRPC's own (a
// synchronous or callback service, its health or reflection) would poll the connections in turn
// with ours, which halves the calls per second and triples the time of a single one.
//
//   auto transport = GrpcTransport::Create(options, methods, make_handler);
//   grpc::ServerBuilder builder;  transport->AddTo(&builder, credentials);
//   auto server = builder.BuildAndStart();  transport->Start();
//   ...
//   transport->StopAccepting();  transport->EndStreams(...);  server->Shutdown(deadline);
//   transport->Stop();  (then the server's end, then the transport's)
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/rpc/message.h"
#include "server/transport/grpc/io_loop.h"
#include "server/transport/grpc/raw_service.h"
#include "server/transport/listener.h"

namespace sigserve {

struct TransportOptions {
  ListenerOptions listener;
  int io_threads = 1;
  IoLoopOptions loop;
  /// Where reactors hear of events; to be set if there are any.
  Executor executor = nullptr;
  /// Calls and streams open at once on one connection.
  int max_calls_per_connection = 128;
  /// Then a connection is told to go; zero = never.
  absl::Duration max_connection_age = absl::ZeroDuration();
  /// How long its calls then may take.
  absl::Duration age_grace = absl::Seconds(10);
};

class GrpcTransport {
 public:
  using HandlerFactory = std::function<std::unique_ptr<MessageHandler>(int io_thread)>;

  /// Binds the address; errors as Listener::Open.
  static absl::StatusOr<std::unique_ptr<GrpcTransport>> Create(const TransportOptions& options,
                                                               std::vector<Method> methods,
                                                               HandlerFactory make_handler);
  ~GrpcTransport();

  /// Before BuildAndStart(), once.
  void AddTo(grpc::ServerBuilder* builder, std::shared_ptr<grpc::ServerCredentials> credentials);
  /// After BuildAndStart().
  void Start();
  void StopAccepting();
  /// While the server stops: streams end instead of waiting for their clients. kWhenIdle is to be
  /// said again and again: messages may be on their way to a stream that looks idle.
  void EndStreams(StreamEnd end);
  /// Calls that have come and are not over.
  int64_t open_calls() const;
  /// After the server's Shutdown() and before its end: waits until every call is over, ends the
  /// threads.
  void Stop();

  const std::string& bound_address() const { return listener_->bound_address(); }
  int port() const { return listener_->port(); }

 private:
  GrpcTransport(const TransportOptions& options, std::unique_ptr<Listener> listener,
                std::vector<Method> methods, HandlerFactory make_handler);

  const TransportOptions options_;
  const std::unique_ptr<Listener> listener_;
  const HandlerFactory make_handler_;
  RawService service_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::vector<std::unique_ptr<IoLoop>> loops_;
};

}  // namespace sigserve
