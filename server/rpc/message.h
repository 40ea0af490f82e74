// The interface between a transport and the code that answers: requests go up, replies come down.
// It contains no type of an engine, so that several engines can implement it.
//
// An I/O thread works in turns: it passes every message that has arrived to OnMessage(), calls
// OnDrained() once its queue is empty (the handler then runs the batch it gathered), and writes all
// replies of the turn in as few packets as possible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "model/base/monotonic_time.h"
#include "server/rpc/stream.h"

namespace sigserve {

/// One request: a unary call, or one message of a stream. Owned by the transport, valid until
/// Reply().
class InboundMessage {
 public:
  /// The decompressed bytes, in one or more pieces without alignment.
  virtual absl::Span<const absl::string_view> request() const = 0;
  /// On the steady clock (Clock::Monotonic); infinite if the client set none.
  virtual MonotonicTime deadline() const = 0;
  /// True once the client has disconnected or cancelled. Any thread.
  virtual bool cancelled() const = 0;

  /// Memory for the reply's bytes, to be filled before Reply(). At most once per message.
  virtual uint8_t* AllocateReply(size_t bytes) = 0;
  /// Sends the allocated bytes (OK) or the error. Exactly once, from any thread, as the last use of
  /// the message. On the I/O thread the write waits for the end of the turn. On a stream an error
  /// ends the whole stream.
  virtual void Reply(const absl::Status& status) = 0;
  /// Replies with an error and asks the client to retry after `delay` (gRPC's retry push-back).
  /// On a stream the delay is lost, and the stream ends.
  virtual void Refuse(const absl::Status& status, absl::Duration delay) = 0;

 protected:
  ~InboundMessage() = default;
};

/// What a transport calls for each method: the Dispatcher. One per I/O thread, called by that
/// thread only, so that it needs no lock. `method` is an index into the transport's methods.
class MessageHandler {
 public:
  virtual ~MessageHandler() = default;
  virtual void OnMessage(int method, InboundMessage* message) = 0;
  /// A kReactorStream has opened. Never null.
  virtual std::shared_ptr<StreamReactor> OpenStream(int method) = 0;
  /// The error for a call to a path that is not among the methods.
  virtual absl::Status RejectUnknown(absl::string_view path) = 0;
  virtual void OnDrained() = 0;
};

}  // namespace sigserve
