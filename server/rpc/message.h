// The seam between the wire and what answers: request messages go up, replies come down, and none
// of gRPC's types show, so that another HTTP/2 engine could stand below it.
//
// An I/O thread's turn: it hands over every message that has arrived (OnMessage), says that it has
// drained its queue (OnDrained: the moment to run what was gathered), then writes all replies of
// that turn in as few packets as it can. The poll is the batch: nothing ever waits for company.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace sigserve {

/// One request message: a unary call, or one message of a stream. Owned by the transport; valid
/// until Reply().
class InboundMessage {
 public:
  /// Index into the transport's list of methods.
  virtual int method() const = 0;
  /// The message's bytes, decompressed, in one or several pieces of any alignment.
  virtual absl::Span<const absl::string_view> request() const = 0;
  /// On the steady clock (Clock::Monotonic); infinite when the client set none.
  virtual absl::Duration deadline() const = 0;
  /// True once the client has gone or given up. Any thread.
  virtual bool cancelled() const = 0;

  /// Memory for the reply's bytes; at most once per message, to be filled before Reply().
  virtual uint8_t* AllocateReply(size_t bytes) = 0;
  /// Sends the allocated bytes (OK) or the error; exactly once, any thread, and the last use of the
  /// message. On the I/O thread itself the write waits for the end of its turn. On a stream an
  /// error ends the whole stream.
  virtual void Reply(const absl::Status& status) = 0;
  /// Replies with an error that invites the client to try again after `delay` (gRPC's retry
  /// push-back; lost on a stream, which it ends).
  virtual void Refuse(const absl::Status& status, absl::Duration delay) = 0;

 protected:
  ~InboundMessage() = default;
};

/// What stands above: one per I/O thread, called by that thread alone, so its own state needs no
/// lock.
class MessageHandler {
 public:
  virtual ~MessageHandler() = default;
  virtual void OnMessage(InboundMessage* message) = 0;
  virtual void OnDrained() = 0;
};

}  // namespace sigserve
