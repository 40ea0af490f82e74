#include "server/transport/grpc/raw_service.h"

// Internal to gRPC, as are AddMethod, MarkMethodRaw and RequestAsync*: what generated services use.
// The public AsyncGenericService alone would not do. It gets unary calls as streams, which costs
// each a further round through the completion queue for its message.
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/server_builder.h>

#include <utility>

namespace sigserve {

RawService::RawService(std::vector<Method> methods, Executor executor)
    : methods_(std::move(methods)), executor_(std::move(executor)) {
  using grpc::internal::RpcMethod;
  for (size_t i = 0; i < methods_.size(); ++i) {
    const bool unary = methods_[i].kind == MethodKind::kUnary;
    const auto type = unary ? RpcMethod::NORMAL_RPC : RpcMethod::BIDI_STREAMING;
    // gRPC takes ownership.
    AddMethod(new grpc::internal::RpcServiceMethod(methods_[i].path.c_str(), type, nullptr));
    MarkMethodRaw(static_cast<int>(i));
  }
}

void RawService::AddTo(grpc::ServerBuilder* builder) {
  builder->RegisterService(this);
  builder->RegisterAsyncGenericService(&unknown_);
}

void RawService::RequestUnary(int method, grpc::ServerContext* context, grpc::ByteBuffer* request,
                              UnaryWriter* writer, grpc::ServerCompletionQueue* queue, void* tag) {
  RequestAsyncUnary(method, context, request, writer, queue, queue, tag);
}

void RawService::RequestStream(int method, grpc::ServerContext* context, Stream* stream,
                               grpc::ServerCompletionQueue* queue, void* tag) {
  RequestAsyncBidiStreaming(method, context, stream, queue, queue, tag);
}

void RawService::RequestUnknown(grpc::GenericServerContext* context,
                                grpc::GenericServerAsyncReaderWriter* stream,
                                grpc::ServerCompletionQueue* queue, void* tag) {
  unknown_.RequestCall(context, stream, queue, queue, tag);
}

}  // namespace sigserve
