#include "server/transport/turn.h"

#include <utility>

#include "absl/time/clock.h"
#include "server/transport/time_slice.h"

namespace sigserve {
namespace {

// Longer than a typical turn, so the thread is rarely descheduled in the middle of one. Shorter
// than the default slice (0.7 ms and more), so EEVDF runs this thread first when it wakes.
constexpr absl::Duration kTimeSlice = absl::Microseconds(400);

}  // namespace

TurnPolicy::TurnPolicy(TurnOptions options)
    : options_(std::move(options)),
      spin_(options_.spin, options_.processor_is_wanted),
      budget_(options_.share_when_wanted) {}

void TurnPolicy::PrepareThread() { SetTimeSlice(absl::ToInt64Nanoseconds(kTimeSlice)); }

void TurnPolicy::BeginTurn() {
  if (!budget_.limits()) return;
  if (!options_.processor_is_wanted || !options_.processor_is_wanted()) {
    budget_.Stop();
  } else if (!budget_.active()) {
    budget_.Start(thread_clock_.Monotonic().since_start(), clock_.Monotonic());
  }
}

void TurnPolicy::EndTurn() {
  if (!budget_.active()) return;
  absl::SleepFor(budget_.Rest(thread_clock_.Monotonic().since_start(), clock_.Monotonic()));
}

}  // namespace sigserve
