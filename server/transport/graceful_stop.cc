#include "server/transport/graceful_stop.h"

#include <chrono>
#include <memory>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace sigserve {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(10);
// What clients sent before they heard the goodbye comes within this time.
constexpr absl::Duration kInTransit = absl::Milliseconds(100);
// And within this also calls that were sent meanwhile, and what was answered last reaches clients.
constexpr absl::Duration kQuiet = absl::Milliseconds(200);
// What gRPC may take to cancel calls.
constexpr absl::Duration kCancelling = absl::Seconds(1);

}  // namespace

void StopGracefully(grpc::Server* server, GrpcTransport* transport,
                    const std::function<bool()>& busy, absl::Duration patience) {
  const absl::Time begin = absl::Now();
  const absl::Time deadline = begin + patience;
  transport->StopAccepting();
  const auto over = std::make_shared<absl::Notification>();
  std::thread([server, deadline, over] {
    server->Shutdown(absl::ToChronoTime(deadline));
    over->Notify();
  }).detach();
  absl::Time last_busy = begin;
  StreamEnd end = StreamEnd::kNone;
  for (absl::Time now = begin; now - last_busy < kQuiet && now < deadline + kCancelling;
       now = absl::Now()) {
    if (transport->open_calls() > 0 || busy()) last_busy = now;
    if (end == StreamEnd::kNone && now >= begin + kInTransit) {
      end = StreamEnd::kWhenIdle;
      transport->EndStreams(end);
    }
    if (end == StreamEnd::kWhenIdle && now >= begin + patience / 2) {
      end = StreamEnd::kNow;
      transport->EndStreams(end);
    }
    if (over->HasBeenNotified() && !busy()) return;
    absl::SleepFor(kLookEvery);
  }
}

}  // namespace sigserve
