#include "server/transport/grpc/graceful_stop.h"

#include <grpc/grpc.h>

#include <chrono>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace sigserve {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(10);
// Calls that clients sent before they heard the goodbye come within this time, and what was
// answered last reaches them.
constexpr absl::Duration kQuiet = absl::Milliseconds(200);
// What gRPC may take to cancel calls.
constexpr absl::Duration kCancelling = absl::Seconds(1);

}  // namespace

void StopGracefully(grpc::Server* server, GrpcTransport* transport,
                    const std::function<bool()>& busy, absl::Duration patience) {
  const absl::Time begin = absl::Now();
  const absl::Time deadline = begin + patience;
  transport->StopAccepting();
  absl::Notification over;
  std::thread shutdown([&] {
    server->Shutdown(absl::ToChronoTime(deadline));
    over.Notify();
  });
  absl::Time last_busy = begin;
  absl::Time next_look = begin;
  for (absl::Time now = begin; now - last_busy < kQuiet && now < deadline + kCancelling;
       now = absl::Now()) {
    if (transport->open_calls() > 0 || busy()) last_busy = now;
    if (now >= next_look) {
      next_look = now + kQuiet;
      transport->EndStreams(now < begin + patience / 2 ? StreamEnd::kWhenIdle : StreamEnd::kNow);
    }
    if (over.HasBeenNotified() && !busy()) break;
    absl::SleepFor(kLookEvery);
  }
  // Shutdown() would wait for idle clients until the deadline. Again and again: a connection may
  // still be in its handshake.
  do {
    grpc_server_cancel_all_calls(server->c_server());
  } while (!over.WaitForNotificationWithTimeout(kLookEvery));
  shutdown.join();
}

}  // namespace sigserve
