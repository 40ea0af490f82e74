// Registers methods by path with gRPC so that their messages arrive as bytes on a completion queue.
// For the transport alone.
#pragma once

#include <string>
#include <vector>

#include <grpcpp/completion_queue.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include "server/rpc/method.h"
#include "server/rpc/stream.h"

namespace sigserve {

class RawService final : public grpc::Service {
 public:
  using UnaryWriter = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;
  using Stream = grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

  /// `executor` is for the methods with reactors; empty if there are none.
  RawService(std::vector<Method> methods, Executor executor);

  const std::vector<Method>& methods() const { return methods_; }
  const Executor& executor() const { return executor_; }

  /// The next call of a method: `tag` comes out of `queue` with it (ok) or at shutdown (not ok).
  void RequestUnary(int method, grpc::ServerContext* context, grpc::ByteBuffer* request,
                    UnaryWriter* writer, grpc::ServerCompletionQueue* queue, void* tag);
  void RequestStream(int method, grpc::ServerContext* context, Stream* stream,
                     grpc::ServerCompletionQueue* queue, void* tag);

 private:
  const std::vector<Method> methods_;  // gRPC keeps pointers to the paths
  const Executor executor_;
};

}  // namespace sigserve
