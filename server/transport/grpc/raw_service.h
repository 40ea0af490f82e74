// Registers methods by path so that their messages arrive as bytes on a completion queue. Internal
// to the engine.
#pragma once

#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <vector>

#include "server/rpc/method.h"
#include "server/rpc/stream.h"

namespace grpc {
class ServerBuilder;
}

namespace sigserve {

class RawService final : public grpc::Service {
 public:
  using UnaryWriter = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;
  using Stream = grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

  /// `executor`: for the kReactorStream methods; empty if there are none.
  RawService(std::vector<Method> methods, Executor executor);

  /// It must outlive the server.
  void AddTo(grpc::ServerBuilder* builder);

  const std::vector<Method>& methods() const { return methods_; }
  const Executor& executor() const { return executor_; }

  /// Ask for the next call of a method: `tag` comes out of `queue` with it (ok) or at shutdown (not
  /// ok).
  void RequestUnary(int method, grpc::ServerContext* context, grpc::ByteBuffer* request,
                    UnaryWriter* writer, grpc::ServerCompletionQueue* queue, void* tag);
  void RequestStream(int method, grpc::ServerContext* context, Stream* stream,
                     grpc::ServerCompletionQueue* queue, void* tag);
  /// The next call to a path that is not among the methods.
  void RequestUnknown(grpc::GenericServerContext* context,
                      grpc::GenericServerAsyncReaderWriter* stream,
                      grpc::ServerCompletionQueue* queue, void* tag);

 private:
  const std::vector<Method> methods_;  // gRPC keeps pointers to the paths
  const Executor executor_;
  grpc::AsyncGenericService unknown_;
};

}  // namespace sigserve
