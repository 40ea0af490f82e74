// One HTTP/2 connection that carries gRPC calls at about 1 us each, for generating load: a gRPC
// client (10 to 20 us a call) would be the bottleneck. Plain text over TCP or a unix socket; never
// blocks once connected. Every answer is checked: its header blocks are decoded for grpc-status,
// its messages are put together. Whatever the peer sends, memory stays bounded (64 MiB a message)
// and the worst is an UNAVAILABLE connection. Follows RFC 9113, RFC 7541 and gRPC over HTTP/2.
//
// Not thread-safe. Handler methods are called from Pump and must not call back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/bench/header_codec.h"

namespace sigserve::bench {

/// Told of answers. `tag` is what Start was given.
class AnswerHandler {
 public:
  virtual ~AnswerHandler() = default;
  /// One whole message, valid during the call.
  virtual void OnMessage(uint64_t tag, absl::string_view message) = 0;
  /// The call is over, with a gRPC status code: INTERNAL (13) if the server sent none, UNAVAILABLE
  /// (14) if it never took the call.
  virtual void OnEnd(uint64_t tag, int code) = 0;
};

class H2Connection {
 public:
  /// "HOST:PORT" or "unix:PATH". Blocks until connected, 5 s at most. `handler` outlives it.
  static absl::StatusOr<std::unique_ptr<H2Connection>> Connect(const std::string& address,
                                                               AnswerHandler* handler);
  /// Takes over a connected stream socket.
  static std::unique_ptr<H2Connection> Adopt(int fd, const std::string& authority,
                                             AnswerHandler* handler);
  virtual ~H2Connection() = default;

  /// Returns the method's index.
  virtual int AddMethod(const Method& method) = 0;
  /// False while too much waits to be written.
  virtual bool CanSend() const = 0;
  /// CanSend, and the server takes one more call. False for good once it is going away.
  virtual bool CanStart() const = 0;
  /// Queues a call and its first message. `last`: no more follow. Call only if CanStart. Returns
  /// the stream.
  virtual uint32_t Start(int method, absl::string_view message, bool last, uint64_t tag) = 0;
  /// Queues a further message; nothing happens if the call is over.
  virtual void Send(uint32_t stream, absl::string_view message, bool last) = 0;
  /// Calls without an answer yet.
  virtual size_t open_calls() const = 0;

  /// Writes and reads what it can; calls the handler. UNAVAILABLE once the connection is gone, or
  /// the server is going away and has answered all it took; calls still open then get no OnEnd.
  virtual absl::Status Pump() = 0;
  /// Something is left to write: Pump again when fd() is writable.
  virtual bool wants_write() const = 0;
  virtual int fd() const = 0;
};

}  // namespace sigserve::bench
