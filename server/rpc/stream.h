// The seam for streams whose messages are not answered one by one: uploads, watchers. The handler
// asks for each read and each write, as with gRPC's callback API, and hears of the end of each.
// Part of message.h's seam: none of gRPC's types.
//
// Events come on the executor's threads (TransportOptions), never on an I/O thread: a handler may
// take its time. Different events of a stream may come at once; OnDone() comes last, alone, and on
// any thread, even within Finish(): it is to be quick.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sigserve {

/// What the transport does for a handler. Any thread; valid until OnDone().
class ServerStream {
 public:
  /// One at a time; then OnReadDone().
  virtual void Read() = 0;
  /// The message that was read; until the next Read().
  virtual absl::Span<const absl::string_view> message() const = 0;
  /// One at a time; then OnWriteDone().
  virtual void Write(const std::string& message) = 0;
  /// The end, exactly once, when no write is under way.
  virtual void Finish(const absl::Status& status) = 0;
  /// OK, with a last message.
  virtual void WriteAndFinish(const std::string& message) = 0;
  /// The client has gone or given up.
  virtual bool cancelled() const = 0;

 protected:
  ~ServerStream() = default;
};

class StreamReactor {
 public:
  virtual ~StreamReactor() = default;
  /// The stream has come. Before any other event but OnCancel(), which may meet it.
  virtual void OnStart(ServerStream* stream) = 0;
  /// False: there is no message, and none will come. cancelled() says then whether the client has
  /// sent all it had.
  virtual void OnReadDone(bool /*ok*/) {}
  /// False: it will not reach the client.
  virtual void OnWriteDone(bool /*ok*/) {}
  /// The client has gone, or the server ends calls. The stream is still to be finished.
  virtual void OnCancel() {}
  /// Finished, and no event is on its way.
  virtual void OnDone() {}
};

/// One for each stream.
using StreamReactorFactory = std::function<std::shared_ptr<StreamReactor>()>;

/// Runs a piece of work soon, on a thread that may block.
using Executor = std::function<void(std::function<void()>)>;

}  // namespace sigserve
