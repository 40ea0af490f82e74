// Streams whose messages are not answered one by one: uploads, watches. The reactor asks for each
// read and each write and is told when each completes, as in gRPC's callback API. Like message.h,
// free of any engine's types.
//
// Events arrive on the threads of the transport's Executor, never on an I/O thread: a reactor may
// take its time. Different events of one stream may arrive concurrently; OnDone() comes last and
// alone, on any thread, possibly from within Finish(), and must be quick.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sigserve {

/// The transport's side of a stream. Any thread; valid until OnDone() returns.
class ServerStream {
 public:
  /// One at a time, from within an event; then OnReadDone().
  virtual void Read() = 0;
  /// The message that was read, valid until the next Read().
  virtual absl::Span<const absl::string_view> message() const = 0;
  /// One at a time; then OnWriteDone().
  virtual void Write(const std::string& message) = 0;
  /// Ends the stream. Exactly once (or WriteAndFinish), while no write is under way.
  virtual void Finish(const absl::Status& status) = 0;
  /// Sends a last message and ends the stream with OK.
  virtual void WriteAndFinish(const std::string& message) = 0;
  /// The client has disconnected or cancelled.
  virtual bool cancelled() const = 0;

 protected:
  ~ServerStream() = default;
};

class StreamReactor {
 public:
  virtual ~StreamReactor() = default;
  /// The stream has opened. Precedes every other event except OnCancel(), which may be concurrent.
  virtual void OnStart(ServerStream* stream) = 0;
  /// `ok` false: no message was read and none will follow; cancelled() tells whether the client
  /// disconnected or had sent everything.
  virtual void OnReadDone(bool /*ok*/) {}
  /// `ok` false: the message will not reach the client.
  virtual void OnWriteDone(bool /*ok*/) {}
  /// The client has disconnected, or the server is ending calls. The reactor still has to finish
  /// the stream.
  virtual void OnCancel() {}
  /// The stream is finished, and no event is pending.
  virtual void OnDone() {}
};

/// Runs a function soon, on a thread that may block.
using Executor = std::function<void(std::function<void()>)>;

}  // namespace sigserve
