// How an I/O thread spends processor time around its turns. A turn handles every event that is
// ready, then flushes. Between turns the thread polls for a while before it sleeps (SpinPolicy),
// or rests so that compute threads get their share (CpuBudget). Shared by all engines; each
// instance belongs to one thread.
#pragma once

#include <functional>

#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/base/thread_clock.h"
#include "server/transport/cpu_budget.h"
#include "server/transport/spin_policy.h"

namespace sigserve {

struct TurnOptions {
  /// How long the thread polls before it sleeps, while calls keep arriving; zero = never.
  absl::Duration spin = absl::ZeroDuration();
  /// Whether other threads could use the processor that polling would take. Called before each turn
  /// and each spin; empty = never.
  std::function<bool()> processor_is_wanted = {};
  /// The fraction of its time that the thread may use while they can; 1 or more = all.
  double share_when_wanted = 1;
};

enum class WaitResult { kEvent, kTimeout, kShutdown };

class TurnPolicy {
 public:
  explicit TurnPolicy(TurnOptions options);

  /// Sets the calling thread's scheduling; once, before its first turn.
  void PrepareThread();

  /// Waits for the first event of a turn; false on shutdown. `poll()` returns a WaitResult at once
  /// (kTimeout: nothing is ready); `sleep()` blocks until there is an event (true) or shutdown.
  template <typename Poll, typename Sleep>
  bool Wait(const Poll& poll, const Sleep& sleep) {
    if (options_.spin <= absl::ZeroDuration()) return sleep();
    const MonotonicTime begin = clock_.Monotonic();
    if (spin_.ShouldSpin(begin)) {
      const WaitResult result = Spin(begin, poll);
      if (result != WaitResult::kTimeout) return result == WaitResult::kEvent;
    }
    const bool event = sleep();
    spin_.OnWake(clock_.Monotonic() - begin);
    return event;
  }

  void BeginTurn();
  /// Handles further events of the turn: `next()` handles one that is ready, or returns false.
  template <typename Next>
  void Drain(const Next& next) {
    for (int empty = 0, events = 1; empty < kEmptyPolls && events < kMaxEventsPerTurn;) {
      ++(next() ? events : empty);
    }
  }
  /// Sleeps if the thread is over its share.
  void EndTurn();

 private:
  // The queue counts as drained when a second poll, too, finds nothing: the second finds what
  // arrived meanwhile (+10 % calls per second).
  static constexpr int kEmptyPolls = 2;
  // Ends a turn under overload, when events arrive as fast as they are handled.
  static constexpr int kMaxEventsPerTurn = 512;

  template <typename Poll>
  WaitResult Spin(MonotonicTime begin, const Poll& poll) {
    const MonotonicTime end = begin + options_.spin;
    for (;;) {
      const WaitResult result = poll();
      if (result != WaitResult::kTimeout) return result;
      const MonotonicTime now = clock_.Monotonic();
      if (now < end) continue;
      spin_.OnSpinTimeout(ThreadPreemptions(), now);
      return result;
    }
  }

  const TurnOptions options_;
  const RealClock clock_;
  const ThreadClock thread_clock_;
  SpinPolicy spin_;
  CpuBudget budget_;
};

}  // namespace sigserve
