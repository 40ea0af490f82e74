#include "server/transport/transport.h"

#include "absl/time/clock.h"

namespace sigserve {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(10);
// Long enough for calls that clients sent before they read the GOAWAY to arrive, and for the last
// replies to leave.
constexpr absl::Duration kQuiet = absl::Milliseconds(200);
// What an engine may take to cancel calls.
constexpr absl::Duration kCancelling = absl::Seconds(1);

}  // namespace

void Transport::Drain(absl::Duration patience, const std::function<bool()>& busy) {
  const absl::Time begin = absl::Now();
  const absl::Time deadline = begin + patience;
  StopAccepting();
  BeginShutdown(deadline);
  absl::Time last_busy = begin;
  absl::Time next_end = begin;
  for (absl::Time now = begin; now - last_busy < kQuiet && now < deadline + kCancelling;
       now = absl::Now()) {
    if (open_calls() > 0 || busy()) last_busy = now;
    if (now >= next_end) {
      next_end = now + kQuiet;
      EndStreams(now < begin + patience / 2 ? StreamEnd::kWhenIdle : StreamEnd::kNow);
    }
    if (shutdown_is_over() && !busy()) break;
    absl::SleepFor(kPollInterval);
  }
  EndShutdown();
}

}  // namespace sigserve
