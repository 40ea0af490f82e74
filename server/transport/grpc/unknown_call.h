// A call to a path that is not among the methods: answered with the handler's error. Internal to
// the engine.
#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include "server/transport/grpc/io_loop.h"

namespace sigserve {

class UnknownCall final : public CompletionTag {
 public:
  /// Waits for the next such call. I/O thread, or before it starts. Owns itself.
  static void Post(IoLoop* loop);

  void Complete(bool ok) override;

 private:
  explicit UnknownCall(IoLoop* loop);
  ~UnknownCall();

  IoLoop* const loop_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  bool arrived_ = false;
};

}  // namespace sigserve
