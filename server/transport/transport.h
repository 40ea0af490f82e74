// A transport: listens on an address, turns the wire's calls into the messages and streams of
// server/rpc, and hands them to one MessageHandler per I/O thread. This header names no engine;
// server/transport/grpc/grpc_engine.h makes one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/rpc/message.h"
#include "server/rpc/stream.h"
#include "server/transport/listener.h"
#include "server/transport/turn.h"

namespace sigserve {

struct TransportOptions {
  ListenerOptions listener;
  int io_threads = 1;
  TurnOptions turn;
  /// Where StreamReactors receive their events. Required if there are kReactorStream methods.
  Executor executor = nullptr;
  /// Larger requests are RESOURCE_EXHAUSTED. Replies are not limited here.
  int64_t max_message_bytes = int64_t{64} << 20;
  /// Calls and streams open at once on one connection.
  int max_calls_per_connection = 128;
  /// A connection is asked to close at this age; zero = never.
  absl::Duration max_connection_age = absl::ZeroDuration();
  /// How long its calls may then take.
  absl::Duration age_grace = absl::Seconds(10);
};

/// What happens to message streams while the server stops.
enum class StreamEnd {
  kNone,      // they continue
  kWhenIdle,  // those end that have answered everything and received nothing since the last look
  kNow,       // no further message is read; those that were read are answered
};

class Transport {
 public:
  using HandlerFactory = std::function<std::unique_ptr<MessageHandler>(int io_thread)>;

  /// Without Drain(): cancels the calls in flight and waits until their handlers have answered.
  virtual ~Transport() = default;

  /// Stops without hurting clients: accepts no more connections, sends GOAWAY on the open ones,
  /// lets calls in flight finish. Returns once nothing has been in flight for 200 ms, or when
  /// `patience` is over and the remaining calls are cancelled. Idle streams end within that moment
  /// with UNAVAILABLE, busy ones after half of the patience. Idle connections do not delay it.
  /// `busy`: whether work outside the transport is still to be waited for; called on this thread.
  void Drain(absl::Duration patience, const std::function<bool()>& busy);

  /// The listener's address with the actual port.
  virtual const std::string& bound_address() const = 0;
  virtual int port() const = 0;

  // The steps of Drain(), by which an engine implements it.

  virtual void StopAccepting() = 0;
  /// Sends GOAWAY on every connection and returns. Calls may continue until `deadline`.
  virtual void BeginShutdown(absl::Time deadline) = 0;
  /// True once every connection is closed.
  virtual bool shutdown_is_over() const = 0;
  /// Cancels what is left, closes the connections and waits for that. After BeginShutdown().
  virtual void EndShutdown() = 0;
  /// Applies to each open stream now, and to later ones when they open. To be repeated with
  /// kWhenIdle: a message may be on its way to a stream that looks idle.
  virtual void EndStreams(StreamEnd end) = 0;
  /// Calls and streams that have arrived and are not over.
  virtual int64_t open_calls() const = 0;
};

}  // namespace sigserve
